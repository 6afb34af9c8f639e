// Package address distinguishes public addresses from those of this machine and of private networks. A server that
// chooses an address must not be able to choose one that only this machine can reach.
package address

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
)

// Error means that an address is not public.
type Error struct {
	Kind string // for example "a loopback address"
}

// Error names the kind of address.
func (e *Error) Error() string { return e.Kind + ", not a public address" }

// CheckHost returns an *[Error] if the host of a URL is not a public address. A name is accepted, except "localhost"
// and names below it: only [Control] can check the address of a name. CheckHost also rejects every text that some
// resolver reads as an IPv4 address, such as 127.1 and 0x7f000001, and every name with non-ASCII characters, which
// net/http converts.
func CheckHost(host string) error {
	name := strings.ToLower(strings.TrimRight(host, "."))
	if ip, err := netip.ParseAddr(name); err == nil {
		return CheckIP(ip)
	}
	last := name[strings.LastIndexByte(name, '.')+1:]
	switch {
	case name == "":
		return &Error{"an empty host"}
	case strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' || r == '%' || r == ':' }):
		return &Error{"a host with invalid characters"}
	case last == "localhost", last == "localdomain":
		return &Error{"a name of this machine"}
	case isNumber(last):
		return &Error{"an IP address in an unusual form"}
	}
	return nil
}

// isNumber reports whether the last label of a host makes the host an IPv4 address. Source: the WHATWG's URL standard,
// "ends in a number".
func isNumber(label string) bool {
	digits, base := label, "0123456789"
	if hex, ok := strings.CutPrefix(label, "0x"); ok {
		digits, base = hex, "0123456789abcdef"
	}
	return strings.Trim(digits, base) == ""
}

// special lists the networks that are not public and that netip has no method for.
var special = []struct {
	network netip.Prefix
	kind    string
}{
	{netip.MustParsePrefix("0.0.0.0/8"), "an unspecified address"},       // RFC 1122
	{netip.MustParsePrefix("100.64.0.0/10"), "a private address"},        // RFC 6598: behind a provider's NAT
	{netip.MustParsePrefix("192.0.0.0/24"), "a private address"},         // RFC 6890; some clouds serve metadata there
	{netip.MustParsePrefix("240.0.0.0/4"), "a reserved address"},         // RFC 1112; broadcast
	{netip.MustParsePrefix("fec0::/10"), "a private address"},            // RFC 3879
	{netip.MustParsePrefix("64:ff9b:1::/48"), "a private address"},       // RFC 8215: a NAT64 of the network itself
	{netip.MustParsePrefix("100::/64"), "an address that leads nowhere"}, // RFC 6666
}

// CheckIP returns an *[Error] unless ip is public. If an IPv6 address contains an IPv4 address, that must be public,
// too.
func CheckIP(ip netip.Addr) error {
	ip = ip.WithZone("").Unmap()
	switch {
	case ip.IsLoopback():
		return &Error{"a loopback address"}
	case ip.IsUnspecified():
		return &Error{"an unspecified address"}
	case ip.IsLinkLocalUnicast():
		return &Error{"a link-local address"}
	case ip.IsMulticast():
		return &Error{"a multicast address"}
	case ip.IsPrivate():
		return &Error{"a private address"}
	}
	for _, s := range special {
		if s.network.Contains(ip) {
			return &Error{s.kind}
		}
	}
	//mutant:address-embedded
	for _, inner := range embedded(ip) {
		if err := CheckIP(inner); err != nil {
			return err
		}
	}
	return nil
}

// carriers lists the networks of IPv6 addresses that contain an IPv4 address, with the index of its first byte.
var carriers = []struct {
	network netip.Prefix
	at      int
	flip    byte // 0xff if the bytes are inverted
}{
	{netip.MustParsePrefix("::/96"), 12, 0},           // RFC 4291: IPv4-compatible
	{netip.MustParsePrefix("::ffff:0:0:0/96"), 12, 0}, // RFC 2765: IPv4-translated
	{netip.MustParsePrefix("64:ff9b::/96"), 12, 0},    // RFC 6052: NAT64
	{netip.MustParsePrefix("2002::/16"), 2, 0},        // RFC 3056: 6to4
	{netip.MustParsePrefix("2001::/32"), 4, 0},        // RFC 4380: a Teredo server
	{netip.MustParsePrefix("2001::/32"), 12, 0xff},    // RFC 4380: a Teredo client
}

// embedded returns the IPv4 addresses in an IPv6 address.
func embedded(ip netip.Addr) (inner []netip.Addr) {
	if !ip.Is6() {
		return nil
	}
	all := ip.As16()
	for _, c := range carriers {
		if !c.network.Contains(ip) {
			continue
		}
		four := [4]byte(all[c.at : c.at+4])
		for i := range four {
			four[i] ^= c.flip
		}
		inner = append(inner, netip.AddrFrom4(four))
	}
	return inner
}

// Control is the ControlContext of a [net.Dialer] that connects to public addresses only. It checks the address after
// name resolution, so that a second resolution cannot return a different one.
func Control(_ context.Context, network, addr string, _ syscall.RawConn) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("address: %s %s: %w", network, addr, err)
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return errors.New("address: the dialer does not connect to an IP address")
	}
	return CheckIP(ip)
}
