package link

// What the tests, which are in package link_test, may reach inside the package.
var Jumped = jumped
