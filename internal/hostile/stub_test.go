package hostile

func pictureAttacks() []attack { return nil }
func payloadAttacks() []attack { return nil }
func floodAttacks() []attack   { return nil }
