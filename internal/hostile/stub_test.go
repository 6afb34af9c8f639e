package hostile

func payloadAttacks() []attack { return nil }
func floodAttacks() []attack   { return nil }
