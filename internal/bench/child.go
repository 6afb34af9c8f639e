package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/pprof"
	"syscall"
	"time"
)

// roleVariable is the environment variable that makes a program a child of Run.
const roleVariable = "BLAZE_BENCH_ROLE"

// The roles.
const (
	roleServer    = "server"
	roleContender = "contender"
)

// IsChild reports whether this process was started by Run.
func IsChild() bool { return os.Getenv(roleVariable) != "" }

// Child runs the role of a process started by Run. It reads the task from the standard input, and writes a result of
// one line to the standard output. The process exits at the end of the standard input, which means that the parent has
// ended or stops it.
func Child(ctx context.Context) error {
	in := bufio.NewReader(os.Stdin)
	line, err := in.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("bench: no task: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	switch role := os.Getenv(roleVariable); role {
	case roleServer:
		go func() {
			_, _ = io.Copy(io.Discard, in)
			cancel()
		}()
		return host(ctx, line)
	case roleContender:
		go func() {
			_, _ = io.Copy(io.Discard, in)
			os.Exit(1) // no parent is left to report an error to
		}()
		return contend(ctx, line)
	default:
		return fmt.Errorf("bench: no role %q", role)
	}
}

// host runs a server until ctx ends.
func host(ctx context.Context, line []byte) error {
	var scripts map[string]Script
	if err := json.Unmarshal(line, &scripts); err != nil {
		return fmt.Errorf("bench: scripts: %w", err)
	}
	s, err := Serve(scripts)
	if err != nil {
		return err
	}
	defer s.Close()
	runtime.GC() // frees the garbage of making the messages
	if err := json.NewEncoder(os.Stdout).Encode(s); err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	<-ctx.Done()
	return nil
}

// contend does one task.
func contend(ctx context.Context, line []byte) error {
	var t Task
	if err := json.Unmarshal(line, &t); err != nil {
		return fmt.Errorf("bench: task: %w", err)
	}
	stop, err := profile(t)
	if err != nil {
		return err
	}
	r, err := t.Run(ctx)
	if err := errors.Join(err, stop()); err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	return nil
}

// profile starts the profiles of the task. stop writes them.
func profile(t Task) (stop func() error, err error) {
	if t.MemProfile != "" {
		runtime.MemProfileRate = 4096 // finer than the default
	}
	var cpu *os.File
	if t.CPUProfile != "" {
		if cpu, err = os.Create(t.CPUProfile); err != nil {
			return nil, fmt.Errorf("bench: %w", err)
		}
		if err := pprof.StartCPUProfile(cpu); err != nil {
			return nil, fmt.Errorf("bench: %w", err)
		}
	}
	return func() error {
		var err error
		if cpu != nil {
			pprof.StopCPUProfile()
			err = cpu.Close()
		}
		if t.MemProfile != "" {
			var b bytes.Buffer
			err = errors.Join(err, pprof.Lookup("allocs").WriteTo(&b, 0), os.WriteFile(t.MemProfile, b.Bytes(), 0o600))
		}
		return err
	}, nil
}

// process is the parent's view of a child.
type process struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout *json.Decoder
	stderr bytes.Buffer
}

// spawn starts this program in a role, and sends it its task.
func spawn(ctx context.Context, program, role string, task any) (*process, error) {
	p := new(process)
	p.cmd = exec.CommandContext(ctx, program)
	p.cmd.Env = append(os.Environ(), roleVariable+"="+role)
	p.cmd.Stderr = &p.stderr
	p.cmd.Cancel = func() error {
		return p.cmd.Process.Signal(syscall.SIGQUIT) // prints the stacks of all goroutines
	}
	p.cmd.WaitDelay = 5 * time.Second
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	p.stdout = json.NewDecoder(stdout)
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	if err := json.NewEncoder(p.stdin).Encode(task); err != nil {
		return nil, errors.Join(fmt.Errorf("bench: %w", err), p.wait())
	}
	return p, nil
}

// wait closes the standard input and waits for the end of the process. Its error contains the standard error of the
// process.
func (p *process) wait() error {
	_ = p.stdin.Close()
	return p.exited()
}

// exited waits for a process that ends without being stopped.
func (p *process) exited() error {
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("bench: %w: %s", err, bytes.TrimSpace(p.stderr.Bytes()))
	}
	return nil
}
