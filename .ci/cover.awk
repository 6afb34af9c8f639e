# Reads a profile of go test -coverprofile. A block counts as covered if at least one test binary ran it. Prints the
# share of covered statements of each package, of the root package and of all internal packages. Fails if one of the
# last two is below the floor.
FNR > 1 {
	statements[$1] = $2
	if ($3 > 0) ran[$1] = 1
}
END {
	for (block in statements) {
		package = block
		sub(/\/[^\/]*$/, "", package)
		whole = package ~ /\/internal\// ? "internal" : "root"
		all[package] += statements[block]; total[whole] += statements[block]
		if (block in ran) { hit[package] += statements[block]; covered[whole] += statements[block] }
	}
	for (package in all) printf "%6.1f %%  %s\n", 100 * hit[package] / all[package], package | "sort -n"
	close("sort -n")
	if (!("root" in total) || !("internal" in total)) {
		print "the profile lacks root or internal"
		failed = 1
	}
	for (whole in total) {
		share = 100 * covered[whole] / total[whole]
		printf "%6.1f %%  of %s%s\n", share, whole, share < floor ? ": below the floor of " floor " %" : ""
		if (share < floor) failed = 1
	}
	exit failed
}
