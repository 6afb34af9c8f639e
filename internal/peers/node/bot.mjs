// A bot written with Mixin's SDK for Node, as its documentation shows it. It tells of each message that it gets, one line of
// JSON each, and answers a text in three ways: over the websocket, over HTTP, and with a file.
import { MixinApi } from '@mixin.dev/mixin-node-sdk';
import { websocket, sendRaw } from '@mixin.dev/mixin-node-sdk/blaze';
import { randomUUID } from 'node:crypto';

const keystore = JSON.parse(process.env.KEYSTORE);
const client = MixinApi({ keystore, requestConfig: { baseURL: process.env.API } });
const tell = (line) => process.stdout.write(JSON.stringify(line) + '\n');

const answer = async (message) => {
  await sendRaw(ws, {
    id: randomUUID(),
    action: 'CREATE_MESSAGE',
    params: {
      conversation_id: message.conversation_id,
      recipient_id: message.user_id,
      message_id: randomUUID(),
      category: 'PLAIN_TEXT',
      data_base64: Buffer.from('over the websocket').toString('base64url'),
    },
  });
  await client.message.sendText(message.user_id, 'over HTTP');
  const file = await client.attachment.upload(new File(['a file'], 'file.txt'));
  await client.message.sendFile(message.user_id, {
    attachment_id: file.attachment_id, mime_type: 'text/plain', size: 6, name: 'file.txt',
  });
};

const handler = {
  onMessage: async (message) => {
    if (message.category) tell({ category: message.category, data: message.data });
    if (message.category === 'PLAIN_TEXT') await answer(message);
  },
  onConversation: (message) => tell({ category: message.category, data: message.data }),
  onTransfer: (message) => tell({ category: message.category, data: message.data }),
  onAckReceipt: (message) => tell({ receipt: message.status }),
};

const me = await client.user.profile();
tell({ me: me.user_id });

const ws = websocket(keystore, process.env.BLAZE, handler, { parse: true, syncAck: true });
// As the SDK's own loop does: it waits for the service's pings, and ends a connection without one for 30 s.
let alive = setTimeout(() => ws.terminate(), 30000);
ws.on('ping', () => {
  tell({ ping: true });
  clearTimeout(alive);
  alive = setTimeout(() => ws.terminate(), 30000);
});
ws.onopen = () => sendRaw(ws, { id: randomUUID(), action: 'LIST_PENDING_MESSAGES' });
ws.onerror = (event) => tell({ error: event.message });
ws.onclose = () => process.exit(0);
process.stdin.resume();
process.stdin.on('end', () => ws.terminate());
