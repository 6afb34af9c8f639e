package blazetest

type optionsJSON struct {
	Lenient   bool `json:"lenient" doc:"Checks only the form of requests."`
	PerMinute int  `json:"per_minute" doc:"Messages that the bot may send per minute; 0: unlimited."`
}

type optionsIn struct {
	Lenient   *bool `json:"lenient,omitempty" doc:"Default: unchanged."`
	PerMinute *int  `json:"per_minute,omitempty" doc:"Default: unchanged."`
}

func (r *request) options() (any, *controlError) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	return r.s.rules.json(), nil
}

func (o *rules) json() optionsJSON { return optionsJSON{o.lenient, max(0, o.perMinute)} }

func (r *request) setOptions(in optionsIn) (any, *controlError) {
	if in.PerMinute != nil && *in.PerMinute < 0 {
		return nil, invalidBody("per_minute must not be negative")
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
