package blazetest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/mixin-blaze/blaze"
)

type nameIn struct {
	Name string `json:"name" doc:"The name of a person or a group."`
}

type userJSON struct {
	Name           string `json:"name"`
	ID             string `json:"id" doc:"A UUID, the same for the same name."`
	IdentityNumber string `json:"identity_number"`
	ConversationID string `json:"conversation_id" doc:"The id of the conversation with the bot."`
}

type groupIn struct {
	Name    string   `json:"name"`
	Members []string `json:"members,omitempty" doc:"The names of people."`
}

type groupJSON struct {
	Name    string   `json:"name"`
	ID      string   `json:"id" doc:"The id of the group's conversation, a UUID."`
	Members []string `json:"members" doc:"The names of the members, without the bot."`
}

type memberIn struct {
	Name string `json:"name,omitempty" doc:"The name of a person."`
	Bot  bool   `json:"bot,omitempty" doc:"The bot, instead of a person."`
}

type sayIn struct {
	Text      string `json:"text"`
	Group     string `json:"group,omitempty" doc:"The name of a group of the person."`
	Encrypted bool   `json:"encrypted,omitempty" doc:"Encrypts the text for the bot."`
}

type sendIn struct {
	Category   string          `json:"category" doc:"For example PLAIN_IMAGE."`
	Data       json.RawMessage `json:"data,omitempty" doc:"The data as JSON; a string for texts and posts."`
	DataBase64 string          `json:"data_base64,omitempty" doc:"The data in base64, instead of data."`
	Group      string          `json:"group,omitempty" doc:"The name of a group of the person."`
	Encrypted  bool            `json:"encrypted,omitempty" doc:"Encrypts a message of a PLAIN_ category for the bot."`
}

type tapIn struct {
	MessageID string `json:"message_id" doc:"The id of a message that the bot sent."`
	Label     string `json:"label"`
}

type transferIn struct {
	Amount string `json:"amount" doc:"A decimal number."`
	Asset  string `json:"asset" doc:"The id of an asset, or one of BTC, ETH and XIN."`
	Memo   string `json:"memo,omitempty"`
}

type waitIn struct {
	Timeout duration `json:"timeout,omitempty" doc:"Such as 500ms. Default: 5s; at most 10m."`
}

type nextIn struct {
	waitIn
	Group string `json:"group,omitempty" doc:"The name of a group. Waits for messages in the group."`
}

type readsIn struct {
	MessageID string `json:"message_id" doc:"The id of a message that the bot sent."`
}

type messageIDJSON struct {
	MessageID string `json:"message_id"`
}

type attachmentJSON struct {
	ID       string `json:"attachment_id"`
	MimeType string `json:"mime_type"`
	Size     int64  `json:"size"`
}

// duration is a time.Duration, encoded as a string such as 1m30s.
type duration time.Duration

func (d *duration) UnmarshalJSON(p []byte) error {
	var text string
	if json.Unmarshal(p, &text) != nil {
		return errors.New("a duration must be a string such as 500ms or 5m")
	}
	parsed, err := time.ParseDuration(text)
	if err != nil {
		return errors.New("a duration must be a string such as 500ms or 5m")
	}
	*d = duration(parsed)
	return nil
}

func (d duration) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(d).String()) }

func (r *request) users() (any, *controlError) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	all := []userJSON{}
	for _, u := range r.s.named {
		all = append(all, u.json())
	}
	slices.SortFunc(all, func(a, b userJSON) int { return cmp.Compare(a.Name, b.Name) })
	return all, nil
}

func (u *User) json() userJSON { return userJSON{u.name, u.id, u.number, u.conversation} }

func (r *request) user(in nameIn) (any, *controlError) {
	if problem := checkName(in.Name); problem != nil {
		return nil, problem
	}
	return r.s.User(in.Name).json(), nil
}

// checkName returns an error for a name that scripts cannot contain.
func checkName(name string) *controlError {
	if cut, rest := cutName(name); cut == "" || rest != "" {
		return invalidBody("invalid name %q; use letters, digits and the characters - _ .", name)
	}
	return nil
}

// named returns the user in the path.
func (r *request) named() (*User, *controlError) {
	name := r.http.PathValue("user")
	if problem := checkName(name); problem != nil {
		return nil, problem
	}
	return r.s.User(name), nil
}

// namedGroup returns an existing group.
func (r *request) namedGroup(name string) (*Group, *controlError) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	g := r.s.groups[name]
	if g == nil {
		return nil, problem(http.StatusNotFound, "group %q does not exist; create it with POST %sgroups",
			name, controlPath)
	}
	return g, nil
}

func (r *request) say(in sayIn) (any, *controlError) {
	if in.Text == "" {
		return nil, invalidBody("text is missing")
	}
	return r.sends(blaze.Text(in.Text), in.Group, in.Encrypted)
}

func (r *request) send(in sendIn) (any, *controlError) {
	p, problem := payloadIn(in.Category, in.Data, in.DataBase64)
	if problem != nil {
		return nil, problem
	}
	return r.sends(p, in.Group, in.Encrypted)
}

// payloadIn returns a payload with the given data, unchanged.
func payloadIn(category string, data json.RawMessage, inBase64 string) (blaze.Payload, *controlError) {
	if !isCategory(category) {
		return nil, invalidBody("category is missing or invalid")
	}
	if (data == nil) == (inBase64 == "") {
		return nil, invalidBody("set one of data and data_base64")
	}
	if data == nil {
		p, err := base64.StdEncoding.DecodeString(inBase64)
		if err != nil {
			return nil, invalidBody("data_base64: %v", err)
		}
		return blaze.Raw{As: blaze.Category(category), Data: p}, nil
	}
	p, reason := jsonData(string(data))
	if reason != "" {
		return nil, invalidBody("data: %s", reason)
	}
	return blaze.Raw{As: blaze.Category(category), Data: p}, nil
}

// sends delivers a payload of the user in the path, in the contact conversation or in a group.
func (r *request) sends(p blaze.Payload, group string, encrypted bool) (any, *controlError) {
	u, problem := r.named()
	if problem != nil {
		return nil, problem
	}
	send := u.send
	if group != "" {
		g, problem := r.namedGroup(group)
		if problem != nil {
			return nil, problem
		}
		send = g.As(u).send
	}
	return delivered(send(p, encrypted))
}

// delivered is the response to a request that delivers a message. The id is empty if no message was delivered.
func delivered(id string, misuse *controlError) (any, *controlError) {
	if misuse != nil {
		return nil, misuse
	}
	return messageIDJSON{id}, nil
}

// message returns a message that the bot sent.
func (r *request) message(id string) (blaze.Outgoing, *controlError) {
	r.s.mu.Lock()
	i, ok := r.s.sentIDs[id]
	var m sentMessage
	if ok {
		m = r.s.sentTo(r.s.sent[i])
	}
	r.s.mu.Unlock()
	if !ok {
		return blaze.Outgoing{}, problem(http.StatusNotFound, "the bot has sent no message %q", id)
	}
	return m.decrypted(), nil
}

func (r *request) tap(in tapIn) (any, *controlError) {
	u, problem := r.named()
	if problem != nil {
		return nil, problem
	}
	out, problem := r.message(in.MessageID)
	if problem != nil {
		return nil, problem
	}
	return delivered(u.tap(out, in.Label))
}

func (r *request) reads(in readsIn) (any, *controlError) {
	u, problem := r.named()
	if problem != nil {
		return nil, problem
	}
	out, problem := r.message(in.MessageID)
	if problem != nil {
		return nil, problem
	}
	return nil, u.reads(out)
}

func (r *request) upload() (any, *controlError) {
	u, problem := r.named()
	if problem != nil {
		return nil, problem
	}
	a, problem := u.upload(bytes.NewReader(r.body))
	if problem != nil {
		return nil, problem
	}
	return attachmentJSON{a.ID, a.MimeType, a.Size}, nil
}

func (r *request) transfer(in transferIn) (any, *controlError) {
	u, problem := r.named()
	if problem != nil {
		return nil, problem
	}
	asset, reason := assetID(in.Asset)
	if reason == "" {
		reason = checkAmount(in.Amount)
	}
	if reason != "" {
		return nil, invalidBody("%s", reason)
	}
	return delivered(r.s.transfer(u.id, in.Amount, asset, in.Memo))
}

func (r *request) groups() (any, *controlError) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	all := []groupJSON{}
	for _, g := range r.s.groups {
		all = append(all, g.json())
	}
	slices.SortFunc(all, func(a, b groupJSON) int { return cmp.Compare(a.Name, b.Name) })
	return all, nil
}

// json returns the JSON form of the group. The caller holds s.mu.
func (g *Group) json() groupJSON {
	j := groupJSON{Name: g.name, ID: g.id, Members: []string{}}
	for _, id := range g.s.readers(g.id) {
		if p := g.s.people[id]; p != nil && id != g.s.bot() {
			j.Members = append(j.Members, cmp.Or(p.name, id))
		}
	}
	return j
}

func (r *request) shown(g *Group) (any, *controlError) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	return g.json(), nil
}

func (r *request) group(in groupIn) (any, *controlError) {
	var members []*User
	for _, name := range append([]string{in.Name}, in.Members...) {
		if problem := checkName(name); problem != nil {
			return nil, problem
		}
	}
	for _, name := range in.Members {
		members = append(members, r.s.User(name))
	}
	return r.shown(r.s.Group(in.Name, members...))
}

func (r *request) addMember(in memberIn) (any, *controlError) {
	return r.change(in, func(g *Group, id, _ string) *controlError {
		g.add(id)
		return nil
	})
}

func (r *request) removeMember(in memberIn) (any, *controlError) {
	return r.change(in, func(g *Group, id, name string) *controlError { return g.remove("Remove", id, name) })
}

// change adds or removes a member of the group in the path.
func (r *request) change(in memberIn, how func(g *Group, id, name string) *controlError) (any, *controlError) {
	if in.Bot == (in.Name != "") {
		return nil, invalidBody("set one of name and bot")
	}
	g, problem := r.namedGroup(r.http.PathValue("group"))
	if problem != nil {
		return nil, problem
	}
	id, name := r.s.bot(), "the bot"
	if !in.Bot {
		if problem := checkName(in.Name); problem != nil {
			return nil, problem
		}
		id, name = r.s.User(in.Name).id, in.Name
	}
	if problem := how(g, id, name); problem != nil {
		return nil, problem
	}
	return r.shown(g)
}

func (r *request) nextForUser(in nextIn) (any, *controlError) {
	u, problem := r.named()
	if problem != nil {
		return nil, problem
	}
	next := u.Next
	if in.Group != "" {
		g, problem := r.namedGroup(in.Group)
		if problem != nil {
			return nil, problem
		}
		next = g.As(u).Next
	}
	return r.nextOf(in.waitIn, next)
}

func (r *request) nextInGroup(in waitIn) (any, *controlError) {
	g, problem := r.namedGroup(r.http.PathValue("group"))
	if problem != nil {
		return nil, problem
	}
	return r.nextOf(in, g.Next)
}

// isText reports whether data can be a JSON string.
func isText(data []byte) bool { return utf8.Valid(data) }

// nextOf calls one of the Next methods with the timeout of the request.
func (r *request) nextOf(in waitIn, next func(context.Context) (blaze.Outgoing, error)) (any, *controlError) {
	var out blaze.Outgoing
	problem := r.wait(in, func(ctx context.Context) (err error) {
		out, err = next(ctx)
		return err
	})
	if problem != nil {
		return nil, problem
	}
	return r.s.messageJSON(out), nil
}
