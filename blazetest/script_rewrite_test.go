package blazetest_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/blazetest"
)

// rewritten plays a script with update, and returns the file afterwards.
func rewritten(t *testing.T, script string) string {
	t.Helper()
	t.Setenv("BLAZE_UPDATE", "1")
	path := filepath.Join(t.TempDir(), "talk.txt")
	require.NoError(t, os.WriteFile(path, []byte(script), 0o600))
	synctest.Test(t, func(t *testing.T) {
		s, _ := blazetest.Start(t, prices, nil)
		blazetest.Script(t, s, path)
	})
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, got, 0o600))
	t.Setenv("BLAZE_UPDATE", "")
	require.Empty(t, playScript(t, prices, string(got)), "what was written is what the bot says")
	return string(got)
}

func TestUpdate(t *testing.T) {
	const quiet = "\r\n# b\r\nalice: /quiet\r\nbot> (nothing)"
	for name, test := range map[string]struct{ before, after string }{
		"writes what is missing": {
			"alice: /price BTC\nalice@g: hi\n",
			"alice: /price BTC\nbot> BTC is 3\nbot> [buttons: BTC, ETH]\nalice@g: hi\nbot@g> what is hi?\n",
		},
		"keeps what matches": {
			"# a\r\nalice: /price BTC\r\nbot> * is *\r\nbot>   [buttons: *]\r\n" + quiet,
			"# a\r\nalice: /price BTC\r\nbot> * is *\r\nbot>   [buttons: *]\r\n" + quiet,
		},
		"replaces what does not match": {
			"alice: /price BTC\nbot> cheap\n# buttons\nbot> [buttons: *]\n\n# next\nalice: /poem\n",
			"alice: /price BTC\nbot> BTC is 3\n# buttons\nbot> [buttons: *]\n\n# next\nalice: /poem\nbot> one*two\n",
		},
		"removes what was not said": {
			"alice: hi\nbot> hello\nbot> what is *?\nbot> bye\n",
			"alice: hi\nbot> what is *?\n",
		},
		"adds between what matches": {
			"alice: /price A\nalice: hi\nbot> what is *?\n",
			"alice: /price A\nbot> A is 1\nbot> [buttons: BTC, ETH]\nalice: hi\nbot> what is *?\n",
		},
		"replaces a wrong nothing": {
			"alice: hi\nbot> (nothing)\n",
			"alice: hi\nbot> what is hi?\n",
		},
		"writes before what follows": {
			"alice: hi\nbot> (nothing)\ncut\nwait 1m\n",
			"alice: hi\nbot> what is hi?\ncut\nwait 1m\n",
		},
		"keeps nothing behind a message": {
			"alice: hi\nbot> x\nbot> (nothing)\n",
			"alice: hi\nbot> what is hi?\nbot> (nothing)\n",
		},
		"keeps the order of different groups": {
			"alice: 1\nalice@g: 2\nbot@g> *2?\n",
			"alice: 1\nbot> what is 1?\nalice@g: 2\nbot@g> *2?\n",
		},
		"keeps conversations in another order than they were in": {
			"alice: hi\nbot> *\nalice@g: /both x\nbot@g> *\nbot> *\n",
			"alice: hi\nbot> *\nalice@g: /both x\nbot@g> *\nbot> *\n",
		},
		"writes with the ends of lines of the file": {
			"alice: hi\r\nwait 1m\r\n",
			"alice: hi\r\nbot> what is hi?\r\nwait 1m\r\n",
		},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, test.after, rewritten(t, test.before)) })
	}
}

// A script with a line that fails is not updated.
func TestUpdateOfABrokenScript(t *testing.T) {
	t.Setenv("BLAZE_UPDATE", "1")
	r, path := new(reports), filepath.Join(t.TempDir(), "talk.txt")
	script := "alice: hi\nalice taps BTC\n"
	require.NoError(t, os.WriteFile(path, []byte(script), 0o600))
	synctest.Test(t, func(t *testing.T) {
		s, _ := blazetest.Start(t, prices, nil)
		blazetest.Script(r, s, path)
	})
	require.Len(t, r.take(), 1)
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, script, string(got))
}

// If the flag is defined, it has precedence over the environment.
func TestUpdateByFlag(t *testing.T) {
	all := flag.CommandLine
	t.Cleanup(func() { flag.CommandLine = all })
	flag.CommandLine = flag.NewFlagSet("test", flag.ContinueOnError)
	update := flag.Bool("update", false, "")
	t.Setenv("BLAZE_UPDATE", "1")
	path := filepath.Join(t.TempDir(), "talk.txt")
	for range 2 {
		require.NoError(t, os.WriteFile(path, []byte("alice: hi\nbot> x\n"), 0o600))
		r := new(reports)
		synctest.Test(t, func(t *testing.T) {
			s, _ := blazetest.Start(t, prices, nil)
			blazetest.Script(r, s, path)
		})
		got, err := os.ReadFile(path)
		require.NoError(t, err)
		if *update {
			require.Equal(t, "alice: hi\nbot> what is hi?\n", string(got))
			require.Empty(t, r.take())
		} else {
			require.Equal(t, "alice: hi\nbot> x\n", string(got))
			require.Len(t, r.take(), 1)
		}
		*update = true
	}
}
