package blazetest

type optionsJSON struct {
	Lenient   bool `json:"lenient" doc:"Only the form of requests is checked."`
	PerMinute int  `json:"per_minute" doc:"Messages that the bot may send within a minute; 0: no limit."`
}

type optionsIn struct {
	Lenient   *bool `json:"lenient,omitempty" doc:"Without it, it stays as it is."`
	PerMinute *int  `json:"per_minute,omitempty" doc:"Without it, it stays as it is."`
}

func (r *request) options() (any, *controlError) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	return r.s.rules.json(), nil
}

func (o *rules) json() optionsJSON { return optionsJSON{o.lenient, max(0, o.perMinute)} }

func (r *request) setOptions(in optionsIn) (any, *controlError) {
	if in.PerMinute != nil && *in.PerMinute < 0 {
		return nil, invalidBody("per_minute is negative")
	}
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	if in.Lenient != nil {
		r.s.lenient = *in.Lenient
	}
	if in.PerMinute != nil {
		r.s.perMinute = *in.PerMinute
	}
	return r.s.rules.json(), nil
}
