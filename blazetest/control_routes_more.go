package blazetest

func messageRoutes() []*route {
	return []*route{
		{
			method: "POST", path: "/next", name: "next", in: waitIn{}, out: messageJSON{}, example: `{"timeout":"5s"}`,
			summary: "Waits for the next message of the bot at the server's cursor, and advances the cursor.",
			do:      with((*request).next),
		},
		{
			method: "POST", path: "/idle", name: "idle", in: waitIn{}, example: `{"timeout":"5s"}`,
			do:      with((*request).idle),
			summary: "Waits until the bot has acknowledged every message and every request is answered.",
		},
		{
			method: "GET", path: "/sent", name: "sent", out: []messageJSON{}, do: (*request).sent,
			summary: "All messages that the bot sent, in order.",
		},
		{
			method: "GET", path: "/acked", name: "acked", out: []string{},
			summary: "The ids of acknowledged messages.",
			do:      func(r *request) (any, *controlError) { return listed(r.s.Acked()), nil },
		},
		{
			method: "GET", path: "/pending", name: "pending", out: []string{},
			summary: "The ids of messages that are not acknowledged, oldest first.",
			do:      func(r *request) (any, *controlError) { return listed(r.s.Pending()), nil },
		},
		{
			method: "POST", path: "/deliver", name: "deliver", in: deliverIn{}, out: messageIDJSON{},
			example: `{"user_id":"965e5c6e-434c-3fa9-b780-c50f43cd955c","category":"PLAIN_TEXT","data":"hello"}`,
			summary: "Delivers a message of any user to the bot, with any ids.", do: with((*request).deliver),
		},
		{
			method: "POST", path: "/receipts", name: "receipt", in: receiptIn{},
			example: `{"message_id":"965e5c6e-434c-3fa9-b780-c50f43cd955c","status":"READ"}`,
			summary: "Notifies the bot that the recipient has received or read its message.",
			do:      with((*request).receipt),
		},
		{
			method: "GET", path: "/files/{file}", name: "file", answersType: "application/octet-stream",
			do:      (*request).file,
			summary: "An uploaded file, unchanged.",
		},
	}
}

func faultRoutes() []*route {
	return []*route{
		{
			method: "GET", path: "/faults", name: "faults", out: faultsJSON{}, do: (*request).listFaults,
			summary: "The armed faults, the speed of the connections, and the offset of the clock.",
		},
		{
			method: "POST", path: "/faults", name: "arm", in: faultIn{}, out: faultJSON{}, do: with((*request).arm),
			example: `{"action":"CREATE_MESSAGE","code":429,"always":true}`,
			summary: "Arms a fault for the next request of an action, or for every one until it is undone.",
		},
		{
			method: "DELETE", path: "/faults", name: "undoAll", do: (*request).undoAll,
			summary: "Undoes all faults armed over HTTP, and resets the speed and the clock.",
		},
		{
			method: "DELETE", path: "/faults/{fault}", name: "undo", do: (*request).undo, summary: "Undoes a fault.",
		},
		{
			method: "POST", path: "/slow", name: "slow", in: slowIn{},
			example: `{"latency":"200ms","bytes_per_second":10000}`,
			summary: "Makes every connection slow. Without latency and bytes_per_second the limits are removed.",
			do:      with((*request).slow),
		},
		{
			method: "POST", path: "/cut", name: "cut", in: cutIn{}, example: `{}`,
			summary: "Cuts every websocket connection, or the one with the number link, as a failing network does.",
			do:      with((*request).cut),
		},
		{
			method: "POST", path: "/push-again", name: "pushAgain", summary: "Pushes every pending message once more.",
			do: func(r *request) (any, *controlError) {
				r.s.PushAgain()
				return nil, nil
			},
		},
		{
			method: "POST", path: "/clock", name: "clock", in: clockIn{}, example: `{"offset":"-1m"}`,
			summary: "Sets the offset of the server's clock from the machine's clock.", do: with((*request).clock),
		},
	}
}

func playRoutes() []*route {
	return []*route{
		{
			method: "POST", path: "/scripts", name: "script", in: scriptIn{}, out: scriptJSON{},
			do: (*request).script, maxBytes: maxTape,
			example:   `{"script":"alice sends cat.txt\nbot> *\n","files":{"cat.txt":"bWVvdw=="},"update":true}`,
			takesType: "text/plain", takesExample: "alice: hello\nbot> *hello\n",
			summary: "Plays a script and returns the failed lines. Earlier messages do not count. The body is an " +
				"object, or the script itself if it sends no files.",
		},
		{
			method: "POST", path: "/recording", name: "record", in: recordIn{}, example: `{"omit_bodies":true}`,
			summary: "Starts a recording of the websockets, and ends the previous one.",
			do:      with((*request).record),
		},
		{
			method: "GET", path: "/recording", name: "recording", answersType: "application/jsonl",
			do:      (*request).recording,
			summary: "The recording so far, without keys and tokens, up to 64 MiB.",
			headers: []param{{fullHeader, "true if frames at the end are missing because of the limit of 64 MiB."}},
		},
		{
			method: "POST", path: "/replay", name: "replay", takesType: "application/jsonl", maxBytes: maxTape,
			do: (*request).replay,
			takesExample: `{"at":"2023-04-28T10:01:32.387507Z","dir":"out","frame":` +
				`{"id":"965e5c6e-434c-3fa9-b780-c50f43cd955c","action":"LIST_PENDING_MESSAGES"}}` + "\n",
			summary: "Plays a recording with the bot, and responds at its end. A frame that the bot does not " +
				"write in time is an error.",
		},
	}
}
