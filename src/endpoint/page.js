// The script of the demo's page, behind wspush-client in the same module.
const byId = id => document.getElementById(id);
const FEED_MAX = 200, POPUPS_MAX = 3, POPUP_MS = 6000, RETRY_MS_MIN = 500, RETRY_MS_MAX = 15000, UPGRADE_MS = 3000;
// How it is said by what the page is connected.
const BY = { ws: 'connected', sse: 'connected, by SSE', poll: 'connected, by polling' };
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' });
const INFO_MS = 2000;
let count = 0, unseen = 0;
const INBOX = 'demo.inbox.', HERE = 'demo.here', INBOX_MAX = 50, PEOPLE_MAX = 24;
let client = null, channel = '', info = null, pushed = null, attempt = 0;
// The inbox that push goes to, and who is there.
let to = '';
const people = new Map();
// Messages and their position are kept together: whenever this page dies, it comes back with what it has shown.
let mine = stored() ?? stranger(`guest-${Math.random().toString(36).slice(2, 6)}`);

function stranger(name) {
  return { name, since: 'earliest', messages: [] };
}

// Where nothing can be stored the inbox lives as long as the page.
function stored() {
  try {
    const { name, since, messages } = JSON.parse(localStorage.getItem('wspush'));
    return name && since && Array.isArray(messages) ? { name, since, messages } : null;
  } catch {
    return null;
  }
}

function store() {
  try {
    localStorage.setItem('wspush', JSON.stringify(mine));
  } catch { /* It is switched off, or full. */ }
}

function make(tag, text, className) {
  const element = document.createElement(tag);
  if (text) element.textContent = text;
  if (className) element.className = className;
  return element;
}

function setState(name, text) {
  byId('state').className = name;
  byId('state').textContent = text;
}

function setTitle() {
  document.title = (unseen ? `(${unseen}) ` : '') + 'wspush demo';
}

function popUp(text, title = 'New message') {
  const box = make('div', '', 'popup');
  const dismiss = make('button', '×');
  dismiss.setAttribute('aria-label', 'Dismiss');
  dismiss.onclick = () => box.remove();
  box.append(make('b', title), make('p', text.slice(0, 400)), dismiss);
  let timer = setTimeout(() => box.remove(), POPUP_MS);
  // Whoever points at it is reading it.
  box.onmouseenter = () => clearTimeout(timer);
  box.onmouseleave = () => { timer = setTimeout(() => box.remove(), POPUP_MS); };
  byId('popups').append(box);
  while (byId('popups').children.length > POPUPS_MAX) byId('popups').firstChild.remove();
}

function setCount(n) {
  count = n;
  byId('count').textContent = count || '';
  byId('empty').hidden = count > 0;
  byId('clear').hidden = count === 0;
}

function tell(text, wrong) {
  const answer = byId('answer');
  answer.textContent = text;
  answer.className = wrong ? 'wrong' : '';
  answer.hidden = false;
}

function setLatency(ms) {
  byId('latency').textContent = `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}

function target(path) {
  const name = to ? INBOX + to : channel;
  return name ? `${path}?channel=${encodeURIComponent(name)}` : path;
}

const inShell = text => /^[\w.:/@+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;

function setCommand() {
  byId('whom').textContent = to ? `Push to the inbox of ${to}` : `Push to ${channel || 'everyone'}`;
  document.querySelector('.shell').hidden = !info?.admin;
  if (!info?.admin) return;
  const socketPath = info.admin.startsWith('unix:') ? info.admin.slice(5) : '';
  const base = socketPath ? 'http://localhost' : info.admin.replace(/^http:\/\//, '');
  const token = info.needs_token ? ' -H "Authorization: Bearer $WSPUSH_ADMIN_TOKEN"' : '';
  const at = socketPath ? ` --unix-socket ${inShell(socketPath)}` : '';
  byId('curl').textContent = `curl${at}${token} -d hello ${inShell(base + target('/push'))}`;
}

async function refreshInfo(hidden = document.hidden) {
  if (hidden) return;
  const begun = performance.now();
  try {
    const response = await fetch('/demo/info', { cache: 'no-store' });
    if (!response.ok) return;
    info = await response.json();
    byId('connections').textContent = info.connections;
    if (!pushed) setLatency(performance.now() - begun);
    setCommand();
  } catch {
    byId('connections').textContent = '–';
  }
}

// Text only, never markup: whatever is pushed is shown as it is.
function item(text, className, time = Date.now()) {
  const line = make('li');
  line.append(make('time', clock.format(time)), make('span', text, className));
  return line;
}

function show(text, binary) {
  byId('feed').prepend(item(text, binary ? 'binary' : ''));
  while (byId('feed').children.length > FEED_MAX) byId('feed').lastChild.remove();
  setCount(count + 1);
  if (document.hidden) unseen++;
  setTitle();
  popUp(text);
}

function keep(since, ...messages) {
  mine.since = since;
  mine.messages = [...messages, ...mine.messages].slice(0, INBOX_MAX);
  store();
  byId('inbox').replaceChildren(...mine.messages.map(({ text, gone, time }) => item(text, gone ? 'gone' : '', time)));
}

function keepMessage(since, text) {
  keep(since, { text, time: Date.now() });
  popUp(text, 'For you');
}

function showPeople() {
  const row = byId('people');
  row.hidden = people.size === 0;
  const names = [...people.keys()].sort((a, b) => (b === mine.name) - (a === mine.name) || a.localeCompare(b));
  row.replaceChildren('Here now', ...names.slice(0, PEOPLE_MAX).map(name => {
    const chip = make('button', name === mine.name ? `${name} (you)` : name, people.get(name) === 0 ? 'away' : '');
    chip.setAttribute('aria-pressed', name === to);
    chip.onclick = () => choose(name === to ? '' : name);
    return chip;
  }), names.length > PEOPLE_MAX ? `and ${names.length - PEOPLE_MAX} more` : '');
}

function choose(name) {
  to = name;
  showPeople();
  setCommand();
}

function setPeople(members = []) {
  people.clear();
  members.forEach(({ user, connections }) => people.set(user, connections));
  showPeople();
}

function receive(data, { channel, epoch, offset }) {
  const binary = typeof data !== 'string';
  const text = binary ? `${data.length} bytes of binary data` : data;
  if (pushed && pushed.text === data && !pushed.isHere) {
    pushed.isHere = true;
    setLatency(performance.now() - pushed.begun);
  }
  if (channel === INBOX + mine.name) keepMessage(`${epoch}.${offset}`, text);
  else show(text, binary);
}

// Who is there is told by WebSocket only.
async function lookAround() {
  const asked = client;
  const presence = await asked.presence(HERE).catch(() => null);
  if (asked === client && presence) setPeople(presence.members);
}

function listen(own) {
  const isInbox = channel => channel === INBOX + mine.name;
  const on = (event, hear) => own.on(event, (...said) => { if (own === client) hear(...said); });
  on('*', receive);
  on('@state', (state, why) => {
    if (BY[state]) {
      setState('open', BY[state]);
      refreshInfo();
      return void (info.guests && lookAround());
    }
    setState('closed', 'disconnected');
    setPeople();
    if (state === 'closed') tell(why.reason, true);
  });
  on('@subscribed', ({ channel, epoch, offset, recovered }) => {
    if (isInbox(channel) && recovered !== false) keep(`${epoch}.${offset}`);
  });
  on('@missed', ({ channel, epoch, from, to }) => {
    const text = `${to - from + 1} older messages are gone`;
    if (isInbox(channel)) keep(`${epoch}.${to}`, { text, gone: true, time: Date.now() });
  });
  on('@unsubscribed', ({ reason }) => tell(reason, true));
  on('@join', ({ user }) => {
    people.set(user, 1);
    showPeople();
  });
  on('@leave', ({ user }) => {
    people.delete(user);
    showPeople();
  });
}

// What the page receives, anew: wspush-client does the rest.
async function begin() {
  const current = ++attempt;
  client?.close();
  client = null;
  byId('answer').hidden = true;
  setCommand();
  setState('connecting', 'connecting');
  while (!info && current === attempt) {
    await refreshInfo(false);
    if (!info) await new Promise(done => setTimeout(done, RETRY_MS_MIN));
  }
  if (current !== attempt) return;
  byId('mine').hidden = !info.guests;
  const channels = ['broadcast'], since = {};
  if (channel) channels.push(channel);
  if (info.guests) {
    channels.push(HERE, INBOX + mine.name);
    since[INBOX + mine.name] = mine.since;
  }
  const own = connect(info.guests ? `/demo/?as=${mine.name}` : '/', {
    channels, since, retryMin: RETRY_MS_MIN, retryMax: RETRY_MS_MAX, upgrade: UPGRADE_MS,
  });
  client = own;
  listen(own);
}

byId('push').addEventListener('submit', async event => {
  event.preventDefault();
  const field = byId('message');
  const headers = { 'Content-Type': 'text/plain' };
  pushed = { text: field.value, begun: performance.now(), isHere: false };
  try {
    const response = await fetch(target('/demo/push'), { method: 'POST', headers, body: field.value });
    if (!response.ok) {
      pushed = null;
      return tell(`Not pushed: ${(await response.text()).trim()}`, true);
    }
    const { offset, recipients } = await response.json();
    tell(`Publication ${offset}, to ${recipients} ${recipients === 1 ? 'subscriber' : 'subscribers'}.`);
    field.value = '';
  } catch {
    pushed = null;
    tell('Not pushed: the server could not be reached.', true);
  }
});

byId('channel').addEventListener('change', () => {
  channel = byId('channel').value.trim();
  to = '';
  begin();
});

byId('name').addEventListener('change', () => {
  const name = byId('name').value.trim();
  if (name === mine.name || !/^[A-Za-z0-9-]{1,32}$/.test(name)) return void (byId('name').value = mine.name);
  mine = stranger(name);
  keep(mine.since);
  begin();
});

// Another tab of this browser has taken another name.
addEventListener('storage', event => {
  const other = event.key === 'wspush' && stored();
  if (!other || other.name === mine.name) return;
  mine = other;
  byId('name').value = mine.name;
  keep(mine.since);
  begin();
});

if (navigator.clipboard) {
  byId('copy').hidden = false;
  byId('copy').onclick = async () => {
    await navigator.clipboard.writeText(byId('curl').textContent);
    byId('copy').textContent = 'Copied';
    setTimeout(() => { byId('copy').textContent = 'Copy'; }, 1500);
  };
}
byId('clear').onclick = () => {
  byId('feed').replaceChildren();
  setCount(0);
};
document.addEventListener('visibilitychange', () => {
  if (!document.hidden) unseen = 0;
  setTitle();
});
byId('name').value = mine.name;
keep(mine.since);
begin();
setInterval(() => refreshInfo(), INFO_MS);
