// Package ring holds entries.
package ring

import (
	"fmt"
	str "strings"
)
import "testing"

// Size is how many entries a ring holds.
const Size = 16

const (
	// Ok means that it went in.
	Ok Status = iota
	Full
)

var shared, other *Ring[int]
var (
	ErrFull = fmt.Errorf("full")
	counter int
)

// Status tells.
type Status int

type Alias = Ring[string]

type (
	// Entry is one entry.
	Entry[T any] struct {
		ID    uint64 `json:"id"`
		value T
		a, b  int
		fmt.Stringer
	}
	Handler func(e Entry[int]) error
)

/*
Reader reads.
*/
type Reader interface {
	fmt.Stringer
	// Read reads.
	Read(p []byte) (n int, err error)
}

// Ring is a ring.
type Ring[T any] struct {
	slots []Entry[T]
	head  struct{ at int }
}

// New makes one.
func New[T any](size int) *Ring[T] {
	local := size
	const inner = 3
	var tail int
	f := func(x int) int { return x + inner }
	type private struct{ x int }
	return &Ring[T]{slots: make([]Entry[T], f(local+tail))}
}

func (r *Ring[T]) Push(e Entry[T], more ...Entry[T]) (bool, error) {
	r.slots = append(r.slots, e)
	return true, ErrFull
}

func (s Status) String() string { return str.ToLower("x") }

func external(x int) int

func TestPush(t *testing.T) {
	cases := []struct{ name string }{{"one"}}
	t.Run("empty ring", func(t *testing.T) {
		New[int](len(cases)).Push(Entry[int]{})
	})
}

func BenchmarkPush(b *testing.B) {}
func TestHelper(x int)           {}
