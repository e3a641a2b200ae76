// SPDX-License-Identifier: Apache-2.0
// Clients send 64 bytes to a server on the same machine and wait for them to come back.

package net_echo

import (
	"io"
	"net"
	"sync"
	"testing"
)

const messageBytes = 64

func serve(c net.Conn) {
	defer c.Close()
	message := make([]byte, 4096)
	for {
		n, err := c.Read(message)
		if err != nil {
			return
		}
		if _, err := c.Write(message[:n]); err != nil {
			return
		}
	}
}

// The bytes that came back over n round trips.
func roundTrips(c net.Conn, n int) int {
	message := make([]byte, messageBytes)
	bytes := 0
	for i := 0; i < n; i++ {
		if _, err := c.Write(message); err != nil {
			break
		}
		if _, err := io.ReadFull(c, message); err != nil {
			break
		}
		bytes += messageBytes
	}
	return bytes
}

func echo(b *testing.B, network, address string, clients int) {
	listener, err := net.Listen(network, address)
	if err != nil {
		b.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Add(1)
	go func() {
		defer serving.Done()
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Add(1)
			go func() {
				defer serving.Done()
				serve(c)
			}()
		}
	}()
	conns := make([]net.Conn, clients)
	for i := range conns {
		conns[i], err = net.Dial(network, listener.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
	}
	bytes := make([]int, clients)
	var sending sync.WaitGroup
	b.ResetTimer()
	for i := range conns {
		n := b.N / clients
		if i < b.N%clients {
			n++
		}
		sending.Add(1)
		go func() {
			defer sending.Done()
			bytes[i] = roundTrips(conns[i], n)
		}()
	}
	sending.Wait()
	b.StopTimer()
	sum := 0
	for _, ofOne := range bytes {
		sum += ofOne
	}
	b.ReportMetric(float64(sum)/float64(b.N), "check/op")
	for _, c := range conns {
		c.Close()
	}
	listener.Close()
	serving.Wait()
}

func BenchmarkNetEcho(b *testing.B) {
	b.Run("tcp_1", func(b *testing.B) { echo(b, "tcp", "127.0.0.1:0", 1) })
	b.Run("tcp_64", func(b *testing.B) { echo(b, "tcp", "127.0.0.1:0", 64) })
	b.Run("unix_1", func(b *testing.B) { echo(b, "unix", "@vole-bench-echo-go", 1) })
}
