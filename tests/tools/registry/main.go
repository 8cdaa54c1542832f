// Command registry serves go-containerregistry's OCI registry with the referrers
// API on, which `crane registry serve` leaves off.
//
// It prints "listening on HOST:PORT" on standard output once it answers. Blobs
// may lie on disk, but go-containerregistry keeps manifests in memory: what was
// pushed is gone when the process ends. So that a test can take the registry
// down and bring it back with its content, the lines "down" and "up" on standard
// input close and reopen the listener, each answered by a line on standard output:
// while down, connections are refused as by a registry that is not running.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"

	"github.com/google/go-containerregistry/pkg/registry"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address to listen on; port 0 takes a free one")
	referrers := flag.Bool("referrers", true, "serve the OCI 1.1 referrers API")
	blobs := flag.String("blobs", "", "directory for blobs; in memory where empty")
	flag.Parse()

	options := []registry.Option{registry.WithReferrersSupport(*referrers)}
	if *blobs != "" {
		options = append(options, registry.WithBlobHandler(registry.NewDiskBlobHandler(*blobs)))
	}
	door := door{handler: registry.New(options...)}
	address, err := door.open(*listen)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening on", address)

	// Always the address of the first time: a test's references name it.
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		switch lines.Text() {
		case "down":
			err = door.close()
		case "up":
			_, err = door.open(address)
		default:
			err = fmt.Errorf("%q is neither \"down\" nor \"up\"", lines.Text())
		}
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("done", lines.Text())
	}
	select {} // standard input ended: serve on, until killed
}

// door is the listener in front of a handler that outlives it.
type door struct {
	handler http.Handler
	server  *http.Server
}

func (d *door) open(address string) (string, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return "", err
	}
	d.server = &http.Server{Handler: d.handler}
	go func(server *http.Server) {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Fatal(err)
		}
	}(d.server)
	return listener.Addr().String(), nil
}

// close ends open connections too: a pooled one would still reach the handler.
func (d *door) close() error { return d.server.Close() }
