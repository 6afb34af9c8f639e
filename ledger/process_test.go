package ledger_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/ledger"
)

// keepOfChild is small, so that the file is replaced often.
const keepOfChild = 20

// child records ids and prints each when it is recorded, until it is killed.
func child(path string) int {
	f, err := ledger.OpenFile(path, keepOfChild)
	if errors.Is(err, ledger.ErrInUse) {
		fmt.Println("in use")
		return 0
	}
	for n := 1; err == nil; n++ {
		if err = f.Record(context.Background(), id(n)); err == nil {
			fmt.Println(n)
		}
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

func childOf(t *testing.T, path string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "BLAZE_LEDGER="+path)
	return cmd
}

func TestASecondProcess(t *testing.T) {
	path := fileWith(t, text(1, 3))
	f := open(t, path, 0)
	cmd := childOf(t, path)
	pipe, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line, err := bufio.NewReader(pipe).ReadString('\n')
	_ = cmd.Process.Kill() // fails if it has ended
	_ = cmd.Wait()
	require.NoError(t, err)
	assert.Equal(t, "in use\n", line)
	has(t, f, 1, 3)
}

// A process is killed while it records ids and replaces the file. The next one has all ids that were recorded.
func TestAKilledProcess(t *testing.T) {
	for round := range 20 {
		path := fileWith(t, "")
		cmd := childOf(t, path)
		cmd.Stderr = os.Stderr
		pipe, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		lines := bufio.NewScanner(pipe)
		for range 15 + 7*round { // also while the file is replaced, at every 20th id
			require.True(t, lines.Scan())
		}
		require.NoError(t, cmd.Process.Kill())
		last := 0
		for more := true; more; more = lines.Scan() {
			last, err = strconv.Atoi(lines.Text())
			require.NoError(t, err)
		}
		require.Error(t, cmd.Wait())
		f := open(t, path, keepOfChild)
		for n := max(last-keepOfChild+2, 1); n <= last; n++ { // one more may be recorded, but not printed
			handled, err := f.Handled(t.Context(), id(n))
			require.NoError(t, err)
			assert.True(t, handled, "%d of %d", n, last)
		}
		require.NoError(t, f.Close())
	}
}
