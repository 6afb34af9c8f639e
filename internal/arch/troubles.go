package arch

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strconv"
	"strings"
)

// notLogged has the functions that make the text of an error and do not log it.
var notLogged = []string{"New", "Errorf", "Sprintf", "WriteString"}

// LogMessages returns the log messages of a package, sorted: the string literals with a prefix that are passed to a
// function, except to one that makes an error.
func (c *Checked) LogMessages(prefix string) []string {
	var messages []string
	for _, f := range c.files {
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || slices.Contains(notLogged, calledName(call)) {
				return true
			}
			for _, arg := range call.Args {
				literal, ok := arg.(*ast.BasicLit)
				if !ok || literal.Kind != token.STRING {
					continue
				}
				if text, err := strconv.Unquote(literal.Value); err == nil && strings.HasPrefix(text, prefix) {
					messages = append(messages, text)
				}
			}
			return true
		})
	}
	slices.Sort(messages)
	return slices.Compact(messages)
}

// calledName returns the name of a called function or method without its package or receiver.
func calledName(call *ast.CallExpr) string {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}

// Errors returns the exported error types of a package, and its exported constants and variables with an error type,
// sorted.
func (c *Checked) Errors() []string {
	isError, _ := types.Universe.Lookup("error").Type().Underlying().(*types.Interface)
	var names []string
	for _, name := range c.pkg.Scope().Names() {
		o := c.pkg.Scope().Lookup(name)
		if _, isFunction := o.(*types.Func); isFunction || !o.Exported() || types.IsInterface(o.Type()) && isType(o) {
			continue
		}
		if types.Implements(o.Type(), isError) || isType(o) && types.Implements(types.NewPointer(o.Type()), isError) {
			names = append(names, name)
		}
	}
	return names
}

func isType(o types.Object) bool {
	_, ok := o.(*types.TypeName)
	return ok
}

// FirstColumn returns the quoted texts in the first cell of each table row of a document, in order.
func FirstColumn(document string) []string {
	var names []string
	for line := range strings.Lines(document) {
		if cells := strings.Split(line, "|"); len(cells) > 2 && cells[0] == "" {
			names = append(names, inQuotes(cells[1])...)
		}
	}
	return names
}
