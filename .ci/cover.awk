# Reads a profile of go test -coverprofile. Several test binaries may report the same block: one that ran it is enough.
# Prints the share of statements that ran, of each package and of root and internal as a whole, and fails where one of
# these two is below the floor.
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
