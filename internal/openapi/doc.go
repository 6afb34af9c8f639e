// Package openapi has tests only. They validate the description of blazetest's control interface with an OpenAPI
// library, and compare each request and response of the running interface with it. The package is a module of its own,
// so that the SDK does not depend on the library.
package openapi
