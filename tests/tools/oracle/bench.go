package main

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/open-policy-agent/opa/v1/rego"
)

// measured is what came of it: operations of all threads, the time they took together, and quantiles of one operation.
type measured struct {
	Operations int     `json:"operations"`
	Seconds    float64 `json:"seconds"`
	MedianNs   int64   `json:"median_ns"`
	P99Ns      int64   `json:"p99_ns"`
}

// bench repeats one decision: JSON bytes read, prepared query evaluated, result written as JSON bytes.
func bench(r request) (any, error) {
	prepared, err := prepare(r.On, r.Bench)
	if err != nil {
		return nil, err
	}
	if r.Input == nil {
		return nil, errors.New("there is no input")
	}
	text := []byte(*r.Input)
	decide := func() error {
		input, err := parse(text)
		if err != nil {
			return err
		}
		results, err := prepared.Eval(context.Background(), rego.EvalParsedInput(input), rego.EvalTime(r.Now))
		if err != nil {
			return err
		}
		_, err = encode(results)
		return err
	}
	if err := decide(); err != nil {
		return nil, err
	}
	threads := max(r.Threads, 1)
	took := make([][]int64, threads)
	failed := make([]error, threads)
	start := time.Now()
	end := start.Add(time.Duration(r.Seconds * float64(time.Second)))
	var group sync.WaitGroup
	for thread := range threads {
		group.Go(func() {
			for since := time.Now(); since.Before(end); {
				if failed[thread] = decide(); failed[thread] != nil {
					return
				}
				now := time.Now()
				took[thread] = append(took[thread], int64(now.Sub(since)))
				since = now
			}
		})
	}
	group.Wait()
	seconds := time.Since(start).Seconds()
	if err := errors.Join(failed...); err != nil {
		return nil, err
	}
	all := slices.Sorted(slices.Values(slices.Concat(took...)))
	if len(all) == 0 {
		return nil, errors.New("not one operation in that time")
	}
	return measured{len(all), seconds, all[len(all)/2], all[len(all)*99/100]}, nil
}
