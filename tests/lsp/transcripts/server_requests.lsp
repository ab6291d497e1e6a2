# The server asks; the client answers, fails, or answers nonsense.
--> {"jsonrpc":"2.0","id":1,"method":"initialize","params":{"capabilities":{}}}
<-- {"id":1,"jsonrpc":"2.0","result":{"capabilities":{"inlineCompletionProvider":{},"positionEncoding":"utf-16","textDocumentSync":{"change":2,"openClose":true,"save":{"includeText":true}}},"serverInfo":{"name":"scripted","version":"1"}}}
--> {"jsonrpc":"2.0","id":2,"method":"test/ask","params":{"method":"workspace/configuration"}}
<-- {"id":1,"jsonrpc":"2.0","method":"workspace/configuration"}
--> {"jsonrpc":"2.0","id":1,"result":["yes"]}
<-- {"id":2,"jsonrpc":"2.0","result":["yes"]}
--> {"jsonrpc":"2.0","id":1,"result":["twice"]}
log: a response to no request of ours was ignored
--> {"jsonrpc":"2.0","id":3,"method":"test/ask","params":{"method":"client/registerCapability"}}
<-- {"id":2,"jsonrpc":"2.0","method":"client/registerCapability"}
--> {"jsonrpc":"2.0","id":2,"error":{"code":-32601,"message":"never heard of it"}}
<-- {"error":{"code":-32601,"message":"never heard of it"},"id":3,"jsonrpc":"2.0"}
--> {"jsonrpc":"2.0","id":4,"method":"test/ask","params":{"method":"x"}}
<-- {"id":3,"jsonrpc":"2.0","method":"x"}
--> {"jsonrpc":"2.0","id":3,"error":"what?"}
<-- {"error":{"code":-32603,"message":"the client answered with a malformed error"},"id":4,"jsonrpc":"2.0"}
