package hostile

func storageAttacks() []attack { return nil }
func addressAttacks() []attack { return nil }
func pictureAttacks() []attack { return nil }
func payloadAttacks() []attack { return nil }
func floodAttacks() []attack   { return nil }
