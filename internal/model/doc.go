// Package model checks a model of the delivery: delivery.pml, in the language of the model checker spin. It searches
// every order in which the client, the server and the network of a small configuration can act, and fails if one of
// them violates a property. Variants of the model with one broken rule must fail. cmd/model runs the searches.
//
// A test runs random schedules of the real inbox and the real outbox, and compares each step with the model.
package model
