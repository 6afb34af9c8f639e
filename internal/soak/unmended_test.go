package soak

// unmended are the faults that the client does not survive yet.
var unmended = []string{}
