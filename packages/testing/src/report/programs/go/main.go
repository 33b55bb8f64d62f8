package main

import (
	"fmt"
	"os"
	"sync"
	"time"
)

type node struct {
	next *node
	val  int
}

var kept []string

//go:noinline
func fall(numbers []int) int {
	return numbers[len(numbers)+3]
}

//go:noinline
func walk(n *node, depth int) int {
	if depth == 0 {
		return n.next.val
	}
	return walk(n, depth-1) + 1
}

// keep has copies of the environment all over the heap, where the stacks of goroutines lie.
func keep() {
	for i := 0; i < 4000; i++ {
		kept = append(kept, fmt.Sprint(os.Getenv("SECRET"), "-", i))
	}
}

func main() {
	keep()
	var group sync.WaitGroup
	for i := 0; i < 5; i++ {
		group.Add(1)
		go func() {
			keep()
			time.Sleep(time.Hour)
			group.Done()
		}()
	}
	time.Sleep(200 * time.Millisecond)
	if len(os.Args) > 1 && os.Args[1] == "there" {
		fmt.Fprintln(os.Stderr, fall([]int{1, 2}))
	}
	fmt.Fprintln(os.Stderr, walk(&node{}, 4), len(kept))
	group.Wait()
}
