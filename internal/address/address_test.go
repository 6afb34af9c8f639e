package address_test

import (
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/mixin-blaze/blaze/internal/address"
)

// Source of the networks: the IANA registries of special-purpose addresses for IPv4 and IPv6.
func TestHosts(t *testing.T) {
	for kind, hosts := range map[string][]string{
		"a loopback address": {
			"127.0.0.1", "127.255.255.254", "::1", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1", "::ffff:7f00:1", "127.0.0.1.",
			"::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::127.0.0.1", "2002:7f00:1::", "::ffff:0:127.0.0.1",
			"2001:0:7f00:1::1", "2001:0:808:808:0:0:80ff:fffe", "::ffff:127.0.0.1%eth0",
		},
		"an unspecified address": {"0.0.0.0", "0.1.2.3", "::", "::ffff:0.0.0.0", "::ffff:0.0.0.1"},
		"a link-local address": {
			"169.254.169.254", "fe80::1", "fe80::1%eth0", "febf::1", "::ffff:a9fe:a9fe", "64:ff9b::a9fe:a9fe",
		},
		"a private address": {
			"10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.0.1", "fc00::1", "fd00:ec2::254", "100.64.0.1",
			"100.127.255.255", "192.0.0.192", "fec0::1", "64:ff9b:1::808:808", "::ffff:10.0.0.1", "2002:c0a8:101::1",
		},
		"a multicast address":           {"224.0.0.1", "239.255.255.255", "ff02::1", "ff0e::1"},
		"a reserved address":            {"255.255.255.255", "240.0.0.1"},
		"an address that leads nowhere": {"100::1"},
		"a name of this machine": {
			"localhost", "LOCALHOST", "localhost.", "a.localhost", "localhost.localdomain", "localhost..",
		},
		"an IP address in an unusual form": {
			"127.1", "127.0.1", "0x7f.1", "0x7F000001", "2130706433", "0177.0.0.1", "017700000001", "127.0.0.01",
			"8.8.8.8.8", "0x", "10.0.0.1.2", "127.1.", "a.1", "300.1.1.1",
		},
		"an empty host": {"", ".", ".."},
		"a host with invalid characters": {
			"１２７.０.０.１", "127。0。0。1", "ⓛocalhost", "local\thost", "a b", "%31", "fe80::1::2",
			"::1::", "lo\u00adcalhost",
		},
	} {
		for _, host := range hosts {
			err := address.CheckHost(host)
			var private *address.Error
			if assert.ErrorAs(t, err, &private, host) {
				assert.Equal(t, kind, private.Kind, host)
			}
		}
	}
	for _, host := range []string{
		"example.com", "example.com.", "EXAMPLE.com", "8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "172.15.0.1",
		"172.32.0.1",
		"100.63.255.255", "100.128.0.1", "11.0.0.1", "64:ff9b::808:808", "2002:808:808::1", "::ffff:8.8.8.8",
		"xn--bcher-kva.ch", "s3.amazonaws.com", "a-1.b_2.c3", "198.18.0.1", "localhost.example.com", "notlocalhost",
		"0xg",
		"2001:0:808:808:0:0:f7f7:f7f7",
	} {
		assert.NoError(t, address.CheckHost(host), host)
	}
}

// The check of a dialer applies to the resolved address, and to the address connected to.
func TestControl(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = ln.Close() }()
	d := net.Dialer{ControlContext: address.Control}
	_, port, err := net.SplitHostPort(ln.Addr().String())
	require.NoError(t, err)
	for _, host := range []string{"127.0.0.1", "localhost"} {
		_, err := d.DialContext(t.Context(), "tcp", net.JoinHostPort(host, port))
		var private *address.Error
		require.ErrorAs(t, err, &private)
		assert.Equal(t, "a loopback address", private.Kind)
	}
	require.NoError(t, address.Control(t.Context(), "tcp4", "8.8.8.8:443", nil))
	require.NoError(t, address.Control(t.Context(), "tcp6", "[2606:4700:4700::1111]:443", nil))
	for _, odd := range []string{"/run/socket", "example.com:443", ""} {
		require.Error(t, address.Control(t.Context(), "unix", odd, nil))
	}
}
