/** Where a client is connected, or `connecting`, or `closed` for good. */
export type State = "connecting" | Transport | "closed";

export type Transport = "ws" | "sse" | "poll";

/** What was published: text, or bytes. */
export type Data = string | Uint8Array;

export interface Publication {
  channel: string;
  /** Another one whenever the channel's offsets begin anew. */
  epoch: string;
  offset: number;
  data: Data;
}

/** Publications of a channel that this client does not get, from the first to the last offset. */
export interface Missed {
  channel: string;
  epoch: string;
  from: number;
  to: number;
}

export interface Member {
  user: string;
  info?: unknown;
  connections: number;
}

/** Who is in a channel. Without `members` they are too many to be listed. */
export interface Presence {
  channel: string;
  epoch: string;
  offset: number;
  count: number;
  members?: Member[];
}

/** Where a subscription begins. */
export interface Subscribed {
  channel: string;
  epoch: string;
  offset: number;
  /** There if it was to begin at a position. */
  recovered?: boolean;
}

/** A position (`EPOCH.OFFSET`), `head`, `earliest`, `last:N`, `time:UNIX_MS` or `latest`. */
export type Since = string;

export interface Options {
  /** The channels that are received; `["broadcast"]`, the default channel, unless given. */
  channels?: string[];
  /** Where all channels begin, or each; with the next publication unless given. */
  since?: Since | Record<string, Since>;
  /** A token (JWT), or a function that gets one: before the client connects, before one expires, when one is refused. */
  token?: string | (() => string | undefined | Promise<string | undefined>);
  /** Keeps the positions in `sessionStorage` under this name: a page that is loaded anew goes on where it was. */
  keep?: string;
  /** What is tried, in this order; all of them unless given. */
  transports?: Transport[];
  /** `include` sends cookies to another origin without a WebSocket as well. */
  credentials?: RequestCredentials;
  /** Between two attempts it takes this long at first, in ms, then twice as long each time; 1,000 unless given. */
  retryMin?: number;
  /** And this long at the most; 30,000 unless given. */
  retryMax?: number;
  /** A connection is asked for a sign of life after this silence, in ms; the server's `heartbeat_ms` unless given. */
  ping?: number;
  /** An attempt, or an answer to a ping, may take this long, in ms; 10,000 unless given. */
  patience?: number;
  /** A better transport is tried after this time, in ms, then after twice, three times ..; 60,000 unless given. */
  upgrade?: number;
}

/** What promises are rejected with. */
export interface WspushError extends Error {
  /** The server's code, or `lost` (perhaps it was done), `unsupported` (it needs a WebSocket), `unsubscribed`, `closed`. */
  code: string;
}

export interface Client {
  readonly state: State;
  /** The position that was reached in each channel. */
  readonly positions: Record<string, string>;
  on(event: "@state", listener: (state: State, why?: { code: number; reason: string }) => void): () => void;
  on(event: "@missed", listener: (missed: Missed) => void): () => void;
  /** For this client alone. */
  on(event: "@message", listener: (data: Data) => void): () => void;
  /** By a token, or by the host. */
  on(event: "@subscribed", listener: (subscribed: Subscribed) => void): () => void;
  /** By the host, or because it is not allowed any more. */
  on(event: "@unsubscribed", listener: (ended: { channel: string; reason?: string }) => void): () => void;
  on(event: "@join" | "@leave", listener: (who: { channel: string; user: string; info?: unknown }) => void): () => void;
  /** Forget who was there: these are. */
  on(event: "@presence", listener: (presence: Presence) => void): () => void;
  on(event: "@expires", listener: (token: { in_s: number }) => void): () => void;
  /** Calls a function for each publication of a channel, or `*`: of all. The function that comes back ends that. */
  on(channel: string, listener: (data: Data, publication: Publication) => void): () => void;
  subscribe(channel: string, options?: { since?: Since }): Promise<Subscribed>;
  unsubscribe(channel: string): Promise<void>;
  publish(channel: string, data: Data | ArrayBuffer): Promise<{ channel: string; epoch: string; offset: number }>;
  history(channel: string, options?: { since?: Since; limit?: number }): Promise<{
    channel: string;
    epoch: string;
    /** The channel's newest. */
    offset: number;
    publications: { offset: number; time_ms: number; data: Data }[];
  }>;
  presence(channel: string): Promise<Presence>;
  close(): void;
}

/**
 * Connects to the server at this address: `https://push.example`, or a path below it that leads there. Its parameters, if it has
 * some, go with every request.
 */
export function connect(url: string | URL, options?: Options): Client;
