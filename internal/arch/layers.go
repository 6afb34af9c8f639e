package arch

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Rules are the allowed imports between the packages of a module. Package names are relative to the root of the module;
// "." is the root package.
type Rules struct {
	// Rows are the layers, the highest first. A package may import packages of lower rows, but none of its own row.
	Rows [][]string
	// Forbidden lists more packages that a package must not import, those of other modules included.
	Forbidden map[string][]string
	// Tools are programs and test packages, including the packages below their directories. They may import every
	// package, and no layer may import them.
	Tools []string
}

// Check returns a sentence for each violation. imports has the import paths of each package of the module.
func (r Rules) Check(module string, imports map[string][]string) []string {
	var found []string
	for _, path := range slices.Sorted(maps.Keys(imports)) {
		name, _ := relative(module, path)
		row := r.row(name)
		switch {
		case r.tool(name):
		case row < 0:
			found = append(found, name+" is in no layer: add it to the row of the table that is below all its "+
				"importers and above all its imports, or to the tools if the library does not need it")
		default:
			found = append(found, r.checkLayer(module, name, row, imports[path])...)
		}
	}
	return found
}

// checkLayer checks the imports of a package that is in the table.
func (r Rules) checkLayer(module, name string, row int, imports []string) []string {
	var found []string
	for _, path := range imports {
		imported, ours := relative(module, path)
		switch to := r.row(imported); {
		case slices.Contains(r.Forbidden[name], imported):
			found = append(found, fmt.Sprintf("%s imports %s, which the rules forbid for it", name, imported))
		case !ours || to > row:
		case r.tool(imported):
			found = append(found,
				fmt.Sprintf("%s imports the tool %s: move the shared code to a layer", name, imported))
		case to >= 0:
			found = append(found, fmt.Sprintf("%s imports %s, which is not in a lower row: imports go only downwards",
				name, imported))
		}
	}
	return found
}

// row returns the index of the row with the package, or -1.
func (r Rules) row(name string) int {
	return slices.IndexFunc(r.Rows, func(row []string) bool { return slices.Contains(row, name) })
}

func (r Rules) tool(name string) bool {
	return slices.ContainsFunc(r.Tools, func(tool string) bool {
		return name == tool || strings.HasPrefix(name, tool+"/")
	})
}

// relative returns the name of a package from the root of the module, or its import path and false if it is in another
// module.
func relative(module, path string) (name string, ours bool) {
	if path == module {
		return ".", true
	}
	if name, ours = strings.CutPrefix(path, module+"/"); ours {
		return name, true
	}
	return path, false
}
