package blaze

import (
	"encoding/hex"
	"slices"
	"time"

	"github.com/mixin-blaze/blaze/internal/lenient"
)

// SystemConversation reports a change of a conversation. Only the service sends it.
type SystemConversation struct {
	Action        string        // JOIN, EXIT, ADD, REMOVE, CREATE, UPDATE, ROLE or EXPIRE; an open set
	ParticipantID string        // whom the change is about, or ""
	UserID        string        // who made it, or ""
	Role          string        // the participant's new role, or ""
	ExpireIn      time.Duration // lifetime of new messages, in whole seconds on the wire; 0: unlimited
}

// Category returns [CategorySystemConversation].
func (SystemConversation) Category() Category { return CategorySystemConversation }

func (s SystemConversation) data() ([]byte, error) {
	var v validation
	v.check(s.Action != "", "SystemConversation.Action", "missing")
	v.check(s.ExpireIn >= 0, "SystemConversation.ExpireIn", "must not be negative")
	return v.marshal(struct {
		Action        string `json:"action"`
		ParticipantID string `json:"participant_id,omitempty"`
		UserID        string `json:"user_id,omitempty"`
		Role          string `json:"role,omitempty"`
		ExpireIn      int64  `json:"expire_in,omitempty"`
	}{s.Action, s.ParticipantID, s.UserID, s.Role, int64(s.ExpireIn / time.Second)})
}

func readSystemConversation(f *fields) SystemConversation {
	return SystemConversation{
		Action:        f.need("action"),
		ParticipantID: f.str("participant_id"),
		UserID:        f.str("user_id"),
		Role:          f.str("role"),
		ExpireIn:      f.duration("expire_in", time.Second),
	}
}

// AccountSnapshot reports a payment in the form used before 2024. Only the service sends it. It proves nothing: check
// the snapshot with the HTTP API before you deliver goods.
type AccountSnapshot struct {
	Type       string // "transfer", for example
	SnapshotID string
	OpponentID string // the other party; opponent_id or counter_user_id on the wire
	AssetID    string
	Amount     string // decimal; "-10" is a debit
	TraceID    string
	Memo       string // unmodified
	CreatedAt  time.Time
	// The balance before and after, decimal; "" if the service did not send it.
	OpeningBalance, ClosingBalance string
}

// Category returns [CategorySystemAccountSnapshot].
func (AccountSnapshot) Category() Category { return CategorySystemAccountSnapshot }

func (s AccountSnapshot) data() ([]byte, error) {
	var v validation
	v.check(s.SnapshotID != "", "AccountSnapshot.SnapshotID", "missing")
	return v.marshal(struct {
		Type       string `json:"type"`
		SnapshotID string `json:"snapshot_id"`
		OpponentID string `json:"opponent_id"`
		AssetID    string `json:"asset_id"`
		Amount     string `json:"amount"`
		TraceID    string `json:"trace_id"`
		Memo       string `json:"memo"`
		CreatedAt  string `json:"created_at,omitempty"`
		Opening    string `json:"opening_balance,omitempty"`
		Closing    string `json:"closing_balance,omitempty"`
	}{
		s.Type, s.SnapshotID, s.OpponentID, s.AssetID, s.Amount, s.TraceID, s.Memo,
		v.time("AccountSnapshot.CreatedAt", s.CreatedAt), s.OpeningBalance, s.ClosingBalance,
	})
}

func readAccountSnapshot(f *fields) AccountSnapshot {
	s := AccountSnapshot{
		Type:       f.str("type"),
		SnapshotID: f.snapshotID(),
		OpponentID: f.exact("opponent_id"),
		AssetID:    f.exact("asset_id"),
		Amount:     f.amount("amount"),
		TraceID:    f.exact("trace_id"),
		Memo:       f.str("memo"),
		CreatedAt:  f.time("created_at"),

		OpeningBalance: f.str("opening_balance"),
		ClosingBalance: f.str("closing_balance"),
	}
	if s.OpponentID == "" {
		s.OpponentID = f.exact("counter_user_id")
	}
	return s
}

// snapshotID reads the required id, without which a payment cannot be checked.
func (f *fields) snapshotID() string {
	id := f.exact("snapshot_id")
	if id == "" {
		f.fail("snapshot_id", "missing")
	}
	return id
}

// Deposit is the origin of a [SafeSnapshot] that came from outside the service.
type Deposit struct {
	Hash        string // of the transaction
	Index       int64  // of its output, not negative
	Sender      string // may be empty
	Destination string
	Tag         string // or memo of the destination; may be empty
}

// depositJSON has the names used on the wire.
type depositJSON struct {
	Hash        string `json:"deposit_hash"`
	Index       int64  `json:"deposit_index"`
	Sender      string `json:"sender"`
	Destination string `json:"destination"`
	Tag         string `json:"tag"`
}

func readDeposit(s *fields) *Deposit {
	if lenient.Kind(s.raw("deposit")) != '{' {
		return nil
	}
	f := s.nested("deposit")
	if f.err != nil {
		return nil
	}
	return &Deposit{
		Hash: f.str("deposit_hash"), Index: f.int64("deposit_index"),
		Sender: f.str("sender"), Destination: f.str("destination"), Tag: f.str("tag"),
	}
}

// SafeSnapshot reports a payment or the transfer of an inscription. Only the service sends it. It proves nothing: check
// the snapshot with the HTTP API before you deliver goods.
type SafeSnapshot struct {
	Type            string // "snapshot", for example
	SnapshotID      string
	UserID          string // owner of the account
	OpponentID      string // the other side, or ""
	TraceID         string // or ""
	TransactionHash string
	AssetID         string
	Amount          string // decimal; "-10" is a debit
	// Memo is decoded from hexadecimal. Any other text is kept as it is, so that no payment is lost because of its
	// memo.
	Memo            []byte
	DepositHash     string // of the deposit, or ""
	InscriptionHash string // set for the transfer of an inscription
	CreatedAt       time.Time
	RequestID       string   // of the request that moved it, or ""
	Deposit         *Deposit // nil: none, or only DepositHash is known
}

// Category returns [CategorySystemSafeInscription] if InscriptionHash is set, otherwise [CategorySystemSafeSnapshot].
// Message.Category has the category that the service sent.
func (s SafeSnapshot) Category() Category {
	if s.InscriptionHash != "" {
		return CategorySystemSafeInscription
	}
	return CategorySystemSafeSnapshot
}

func (s SafeSnapshot) data() ([]byte, error) {
	var v validation
	v.check(s.SnapshotID != "", "SafeSnapshot.SnapshotID", "missing")
	return v.marshal(struct {
		Type            string `json:"type"`
		SnapshotID      string `json:"snapshot_id"`
		UserID          string `json:"user_id"`
		OpponentID      string `json:"opponent_id"`
		TraceID         string `json:"trace_id,omitempty"`
		TransactionHash string `json:"transaction_hash"`
		AssetID         string `json:"asset_id"`
		Amount          string `json:"amount"`
		Memo            string `json:"memo"`
		CreatedAt       string `json:"created_at,omitempty"`
		DepositHash     string `json:"deposit_hash,omitempty"`
		InscriptionHash string `json:"inscription_hash,omitempty"`
		RequestID       string `json:"request_id,omitempty"`

		Deposit *depositJSON `json:"deposit,omitempty"`
	}{
		s.Type, s.SnapshotID, s.UserID, s.OpponentID, s.TraceID, s.TransactionHash, s.AssetID, s.Amount,
		hex.EncodeToString(s.Memo), v.time("SafeSnapshot.CreatedAt", s.CreatedAt), s.DepositHash, s.InscriptionHash,
		s.RequestID, (*depositJSON)(s.Deposit),
	})
}

func readSafeSnapshot(f *fields) SafeSnapshot {
	s := SafeSnapshot{
		Type:            f.str("type"),
		SnapshotID:      f.snapshotID(),
		UserID:          f.str("user_id"),
		OpponentID:      f.exact("opponent_id"),
		TraceID:         f.exact("trace_id"),
		TransactionHash: f.str("transaction_hash"),
		AssetID:         f.exact("asset_id"),
		Amount:          f.amount("amount"),
		Memo:            f.memo("memo"),
		DepositHash:     f.str("deposit_hash"),
		InscriptionHash: f.str("inscription_hash"),
		CreatedAt:       f.time("created_at"),
		RequestID:       f.str("request_id"),
		Deposit:         readDeposit(f),
	}
	if s.DepositHash == "" && s.Deposit != nil {
		s.DepositHash = s.Deposit.Hash
	}
	return s
}

// memo decodes hexadecimal. It returns any other text unchanged.
func (f *fields) memo(name string) []byte {
	text := []byte(f.str(name))
	if len(text) == 0 {
		return nil
	}
	if len(text)%2 == 0 && !slices.ContainsFunc(text, func(c byte) bool { return hexDigit[c] == 0 }) {
		n, _ := hex.Decode(text, text) // in place: the output is never ahead of the input
		return text[:n]
	}
	return text
}
