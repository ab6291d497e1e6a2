--> {"jsonrpc":"2.0","id":1,"method":"initialize","params":{"capabilities":{}}}
<-- {"id":1,"jsonrpc":"2.0","result":{"capabilities":{"inlineCompletionProvider":{},"positionEncoding":"utf-16","textDocumentSync":{"change":2,"openClose":true,"save":{"includeText":true}}},"serverInfo":{"name":"scripted","version":"1"}}}
# Not JSON; nested too deeply; a batch; no jsonrpc, with and without id; no method; odd ids.
--> {"jsonrpc":"2.0","id":2,
<-- {"error":{"code":-32700,"message":"not JSON: unexpected input at byte 25"},"id":null,"jsonrpc":"2.0"}
--> [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[
<-- {"error":{"code":-32700,"message":"JSON nested deeper than 128 levels"},"id":null,"jsonrpc":"2.0"}
--> [{"jsonrpc":"2.0","id":3,"method":"shutdown"}]
<-- {"error":{"code":-32600,"message":"a message is one JSON object (no batches)"},"id":null,"jsonrpc":"2.0"}
--> {"id":4,"method":"test/text","params":{"uri":"file:///a.c"}}
<-- {"error":{"code":-32600,"message":"a message needs \"jsonrpc\": \"2.0\""},"id":4,"jsonrpc":"2.0"}
--> {"jsonrpc":"1.0","id":5,"method":"test/text","params":{"uri":"file:///a.c"}}
<-- {"error":{"code":-32600,"message":"a message needs \"jsonrpc\": \"2.0\""},"id":5,"jsonrpc":"2.0"}
--> {"method":"initialized"}
<-- {"error":{"code":-32600,"message":"a message needs \"jsonrpc\": \"2.0\""},"id":null,"jsonrpc":"2.0"}
--> {"jsonrpc":"2.0","id":6}
<-- {"error":{"code":-32600,"message":"a message needs a method, a result or an error"},"id":6,"jsonrpc":"2.0"}
--> {"jsonrpc":"2.0","id":7,"method":8}
<-- {"error":{"code":-32600,"message":"a message needs a method, a result or an error"},"id":7,"jsonrpc":"2.0"}
--> {"jsonrpc":"2.0","id":null,"method":"shutdown"}
<-- {"error":{"code":-32600,"message":"an id is a whole number or a string"},"id":null,"jsonrpc":"2.0"}
--> {"jsonrpc":"2.0","id":1.5,"method":"shutdown"}
<-- {"error":{"code":-32600,"message":"an id is a whole number or a string"},"id":null,"jsonrpc":"2.0"}
--> {"jsonrpc":"2.0","id":{},"method":"shutdown"}
<-- {"error":{"code":-32600,"message":"an id is a whole number or a string"},"id":null,"jsonrpc":"2.0"}
--> 17
<-- {"error":{"code":-32600,"message":"a message is one JSON object (no batches)"},"id":null,"jsonrpc":"2.0"}
--> null
<-- {"error":{"code":-32600,"message":"a message is one JSON object (no batches)"},"id":null,"jsonrpc":"2.0"}
# Responses nobody waits for.
--> {"jsonrpc":"2.0","id":99,"result":null}
log: a response to no request of ours was ignored
--> {"jsonrpc":"2.0","id":"x","error":{"code":1,"message":"no"}}
log: a response to no request of ours was ignored
--> {"id":99,"result":null}
<-- {"error":{"code":-32600,"message":"a message needs \"jsonrpc\": \"2.0\""},"id":null,"jsonrpc":"2.0"}
# Frames: junk and bad lengths in a row are one error; two lengths; a body cut short; odd spellings.
# No message behind them is lost.
~~> hello there\r\n\r\n
<-- {"error":{"code":-32700,"message":"malformed message: a line that is no header; skipped to the next header"},"id":null,"jsonrpc":"2.0"}
~~> Content-Length: -5\r\n\r\n{"a":1}
~~> Content-Length: 99999999999999999999\r\n\r\n
~~> Content-Length: 1073741824\r\n\r\n{"jsonrpc":"2.0"}
~~> Content-Type: text/plain\r\n\r\n
~~> Content-Length: 12\r\nContent-Length: 57\r\n\r\n{"jsonrpc":"2.0","id":10,"method":"test/x","params":null}
<-- {"error":{"code":-32700,"message":"malformed message: two Content-Length headers; skipped to the next header"},"id":null,"jsonrpc":"2.0"}
<-- {"error":{"code":-32601,"message":"unknown method test/x"},"id":10,"jsonrpc":"2.0"}
~~> Content-Length: 500\r\n\r\n{"jsonrpc":"2.0","id":11,
~~> xyzContent-Length: 0\r\n\r\n
<-- {"error":{"code":-32700,"message":"malformed message: 500 bytes announced, 28 came before the next header"},"id":null,"jsonrpc":"2.0"}
<-- {"error":{"code":-32700,"message":"not JSON: unexpected input at byte 1"},"id":null,"jsonrpc":"2.0"}
~~> content-length: 57\r\nContent-Type: application/vscode-jsonrpc; charset=utf-8\r\n\r\n{"jsonrpc":"2.0","id":12,"method":"test/x","params":null}
<-- {"error":{"code":-32601,"message":"unknown method test/x"},"id":12,"jsonrpc":"2.0"}
~~> Content-Length: 57\n\n{"jsonrpc":"2.0","id":13,"method":"test/x","params":null}
<-- {"error":{"code":-32601,"message":"unknown method test/x"},"id":13,"jsonrpc":"2.0"}
--> {"jsonrpc":"2.0","id":14,"method":"shutdown"}
<-- {"id":14,"jsonrpc":"2.0","result":null}
--> {"jsonrpc":"2.0","method":"exit"}
exit 0
