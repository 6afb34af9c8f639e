// Package openapi holds tests only: a library for OpenAPI checks the description of blazetest's control interface, and
// each request to the running interface and each answer by the description. It is a module of its own, so that the SDK
// does not depend on the library.
package openapi
