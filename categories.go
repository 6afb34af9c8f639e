package blaze

// Category says what a message is, as the wire spells it.
type Category string
