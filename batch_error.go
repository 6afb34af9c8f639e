package blaze

import "fmt"

// BatchError is the error of a SendBatch in which at least one message was not confirmed.
type BatchError struct {
	Errs []error // one for each message, in their order; nil if it was confirmed
}

// Error returns the number of failures and the text of the first.
func (e *BatchError) Error() string {
	if e == nil {
		return "blaze: a nil *BatchError"
	}
	failed, first := 0, error(nil)
	for _, err := range e.Errs {
		if err == nil {
			continue
		}
		if failed++; first == nil {
			first = err
		}
	}
	return fmt.Sprintf("blaze: %d of %d messages were not confirmed, the first because: %v", failed, len(e.Errs), first)
}

// Unwrap returns the errors of the messages that were not confirmed.
func (e *BatchError) Unwrap() []error {
	if e == nil {
		return nil
	}
	var errs []error
	for _, err := range e.Errs {
		if err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}
