// Package arch measures the structure of this module: the references between the files of a package, the size of a
// struct, and the imports of each package. Its tests fail if a number exceeds its bound, if an import goes against the
// order of the layers, or if the public API differs from its golden files.
package arch
