package blaze

import (
	"errors"
	"strconv"
)

const (
	buttonColor = "#3D75E3" // of SayButton and LinkButton

	maxLabel   = 36 // bytes; a label must be shorter. Source: see CategoryPlainText
	maxButtons = 18 // in a group; 6 until 2024. Source: the service's own client for Go
)

// Button is one button of a [ButtonGroup] or a [Card]. [SayButton] and [LinkButton] make one.
type Button struct {
	Label  string // 1 to 35 bytes; a Chinese character takes three
	Color  string // "#RRGGBB", hexadecimal: Messenger drops the whole message over a colour it cannot read
	Action string // an address to open ("https://...", "mixin://..."), or "input:TEXT": the user says TEXT to the bot
}

// SayButton returns a button that makes the user say text to the bot. Its Color is "#3D75E3", a blue; set the field for
// another.
func SayButton(label, text string) Button {
	return Button{Label: label, Color: buttonColor, Action: inputScheme + text}
}

// LinkButton returns a button that opens an address, for example "https://example.com". Its Color is "#3D75E3", a blue;
// set the field for another.
func LinkButton(label, url string) Button {
	return Button{Label: label, Color: buttonColor, Action: url}
}

// buttonJSON is a button on the wire, in both directions. All three fields are always present.
type buttonJSON struct {
	Label  string `json:"label"`
	Color  string `json:"color"`
	Action string `json:"action"`
}

func (b Button) check(v *validation, path string) {
	v.check(b.Label != "", path+".Label", "must not be empty")
	v.check(len(b.Label) < maxLabel, path+".Label", "has %d bytes, must have fewer than %d", len(b.Label), maxLabel)
	v.check(isColor(b.Color), path+".Color", "must be # and six hexadecimal digits")
	v.text(path+".Label", b.Label)
	v.action(path+".Action", b.Action)
}

func isColor(s string) bool {
	if len(s) != 7 || s[0] != '#' {
		return false
	}
	for i := 1; i < len(s); i++ {
		if hexDigit[s[i]] == 0 {
			return false
		}
	}
	return true
}

// buttonsJSON validates buttons and converts them to wire form. It returns nil if there are none.
func (v *validation) buttonsJSON(path string, buttons []Button) []buttonJSON {
	var out []buttonJSON
	for i, b := range buttons {
		b.check(v, indexed(path, i))
		out = append(out, buttonJSON(b))
	}
	return out
}

func indexed(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

func readButton(f *fields) Button {
	return Button{Label: f.str("label"), Color: f.str("color"), Action: f.str("action")}
}

// ButtonGroup is a message of 1 to 18 buttons.
type ButtonGroup []Button

// Category returns [CategoryAppButtonGroup].
func (ButtonGroup) Category() Category { return CategoryAppButtonGroup }

func (g ButtonGroup) data() ([]byte, error) {
	var v validation
	v.check(len(g) > 0, "ButtonGroup", "must not be empty")
	v.check(len(g) <= maxButtons, "ButtonGroup", "has %d buttons, must have at most %d", len(g), maxButtons)
	return v.marshal(v.buttonsJSON("ButtonGroup", g))
}

func decodeButtonGroup(_ string, data []byte) (Payload, error) {
	if err := check(data, '[', "a JSON array"); err != nil {
		return nil, err
	}
	buttons, err := readObjects("", data, maxButtons, readButton)
	return ButtonGroup(buttons), err
}

// Card is a title and a text in one of two styles. With Action it is a small card with an icon that opens an address,
// as in the service's list of websocket messages. With Actions, CoverURL or both it is a larger card with a cover above
// and buttons below, for Messenger since 2024. Apps that find Action ignore Actions and CoverURL. A sent card needs one
// of the three, and cannot have both Action and Actions. In an incoming card, Title and Description may be empty.
type Card struct {
	AppID       string   // the bot that the card belongs to, a UUID; may be empty
	IconURL     string   // with Action; may be empty
	CoverURL    string   // with Actions; may be empty
	Title       string   // required to send; apps show about 36 characters
	Description string   // required to send; apps accept up to 1024 characters
	Action      string   // the address the card opens
	Actions     []Button // buttons below the card
	Shareable   *bool    // whether users may forward the card; nil: decided by the app
}

// Category returns [CategoryAppCard].
func (Card) Category() Category { return CategoryAppCard }

func (c Card) data() ([]byte, error) {
	var v validation
	appID := v.optionalID("Card.AppID", c.AppID)
	v.check(c.Title != "", "Card.Title", "must not be empty")
	v.check(c.Description != "", "Card.Description", "must not be empty")
	//mutant:card-cover
	v.check(c.Action != "" || len(c.Actions) > 0 || c.CoverURL != "",
		"Card.Action", "missing, and so are Actions and CoverURL: set one of them")
	v.check(c.Action == "" || len(c.Actions) == 0, "Card.Actions", "must be empty when Action is set")
	if c.Action != "" {
		v.action("Card.Action", c.Action)
	}
	v.url("Card.IconURL", c.IconURL)
	v.url("Card.CoverURL", c.CoverURL)
	v.text("Card.Title", c.Title)
	v.text("Card.Description", c.Description)
	return v.marshal(struct {
		AppID       string       `json:"app_id,omitempty"`
		IconURL     string       `json:"icon_url,omitempty"`
		CoverURL    string       `json:"cover_url,omitempty"`
		Title       string       `json:"title"`
		Description string       `json:"description"`
		Action      string       `json:"action,omitempty"`
		Actions     []buttonJSON `json:"actions,omitempty"`
		Shareable   *bool        `json:"shareable,omitempty"`
	}{
		appID, c.IconURL, c.CoverURL, c.Title, c.Description,
		c.Action, v.buttonsJSON("Card.Actions", c.Actions), c.Shareable,
	})
}

func readCard(f *fields) Card {
	c := Card{
		AppID:       f.str("app_id"),
		IconURL:     f.str("icon_url"),
		CoverURL:    f.str("cover_url"),
		Title:       f.str("title"),
		Description: f.str("description"),
		Action:      f.str("action"),
		Shareable:   f.boolean("shareable"),
	}
	if c.CoverURL == "" {
		c.CoverURL = f.nested("cover").str("url")
	}
	if buttons, err := readObjects("actions", f.raw("actions"), maxButtons, readButton); len(buttons) > 0 {
		c.Actions = buttons
	} else if errors.Is(err, errLong) && f.err == nil {
		f.err = err
	}
	//mutant:card-content
	if c.Title == "" && c.CoverURL == "" && c.Description == "" && c.Action == "" && len(c.Actions) == 0 {
		f.fail("title", "missing, and so are cover, description, action and actions")
	}
	return c
}
