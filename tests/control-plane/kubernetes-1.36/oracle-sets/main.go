// oracle-sets answers, with the API server's own library, what two sets of field paths are together.
//
// Each line of standard input is {"a": TEXT, "b": TEXT}, where TEXT is a fieldsV1 as text; an empty line ends a batch.
// Then one line is answered for each pair of the batch: {"a", "b", "union", "difference", "equal"}, where the texts are
// canonical and the difference is a without b. A TEXT that cannot be read makes the line {"error": REASON}.
// Nothing is answered before the empty line, so whoever asks may write a whole batch before reading.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

type question struct {
	A string `json:"a"`
	B string `json:"b"`
}

type answer struct {
	A          string `json:"a,omitempty"`
	B          string `json:"b,omitempty"`
	Union      string `json:"union,omitempty"`
	Difference string `json:"difference,omitempty"`
	Equal      bool   `json:"equal"`
	Error      string `json:"error,omitempty"`
}

func read(text string) (set *fieldpath.Set, err error) {
	set = &fieldpath.Set{}
	return set, set.FromJSON(strings.NewReader(text))
}

func judge(q question) (result answer) {
	// A panic of the library is an answer too: the API server would drop the request.
	defer func() {
		if problem := recover(); problem != nil {
			result = answer{Error: fmt.Sprint("panic: ", problem)}
		}
	}()
	a, err := read(q.A)
	if err != nil {
		return answer{Error: "a: " + err.Error()}
	}
	b, err := read(q.B)
	if err != nil {
		return answer{Error: "b: " + err.Error()}
	}
	write := func(set *fieldpath.Set) string {
		text, err := set.ToJSON()
		if err != nil && result.Error == "" {
			result.Error = err.Error()
		}
		return string(text)
	}
	result = answer{Equal: a.Equals(b)}
	result.A, result.B = write(a), write(b)
	result.Union, result.Difference = write(a.Union(b)), write(a.Difference(b))
	return result
}

func main() {
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	var out []byte
	for {
		line, err := in.ReadBytes('\n')
		if len(line) <= 1 {
			if _, err := os.Stdout.Write(out); err != nil {
				os.Exit(1)
			}
			out = out[:0]
		} else {
			var q question
			if err := json.Unmarshal(line, &q); err != nil {
				fmt.Fprintln(os.Stderr, "oracle-sets: not a question:", err)
				os.Exit(2)
			}
			text, _ := json.Marshal(judge(q))
			out = append(append(out, text...), '\n')
		}
		if err == io.EOF {
			return
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "oracle-sets:", err)
			os.Exit(1)
		}
	}
}
