/** wspush: a WebSocket push server inside a Java process. */
module io.wspush {
    exports io.wspush;
}
