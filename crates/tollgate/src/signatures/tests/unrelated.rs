//! Texts of other programs: nothing is claimed about them.

use super::*;

const UNRELATED: &[&str] = &[
    "",
    "   \n\t",
    "error",
    "hello, can you help me with my code?",
    "error[E0382]: borrow of moved value: `tokens`\n  --> src/main.rs:14:20\n   |\n13 |     let other = tokens;\n   |                 ------ value moved here",
    "error[E0425]: cannot find value `max_tokens` in this scope",
    "warning: unused variable: `model`\n  = note: `#[warn(unused_variables)]` on by default",
    "fatal: unable to access 'https://github.com/acme/x.git/': Could not resolve host: github.com",
    "fatal: unable to access 'https://git.example.com/': SSL certificate problem: unable to get local issuer certificate",
    "error: RPC failed; HTTP 413 curl 22 The requested URL returned error: 413 Request Entity Too Large",
    "remote: Invalid username or password.\nfatal: Authentication failed for 'https://github.com/acme/x.git/'",
    "ssh: connect to host 10.0.0.1 port 22: Connection refused",
    "error: failed to push some refs to 'origin'\nhint: Updates were rejected because the tip of your current branch is behind",
    "CONFLICT (content): Merge conflict in src/model.rs\nAutomatic merge failed; fix conflicts and then commit the result.",
    "Traceback (most recent call last):\n  File \"app.py\", line 3, in <module>\n    import pandas\nModuleNotFoundError: No module named 'pandas'",
    "Traceback (most recent call last):\n  File \"a.py\", line 1, in f\nKeyError: 'input_tokens'",
    "TypeError: Cannot read properties of undefined (reading 'map')\n    at List (app.js:14:9)",
    "ReferenceError: stream is not defined",
    "psycopg2.OperationalError: could not connect to server: Connection refused\n\tIs the server running on host \"localhost\" and accepting TCP/IP connections on port 5432?",
    "redis.exceptions.TimeoutError: Timeout reading from socket",
    "requests.exceptions.ConnectionError: HTTPSConnectionPool(host='example.com', port=443): Max retries exceeded with url: /",
    "urllib.error.HTTPError: HTTP Error 429: Too Many Requests",
    "npm error code ENOTFOUND\nnpm error network request to https://registry.example.com/left-pad failed, reason: getaddrinfo ENOTFOUND registry.example.com",
    "npm error 404 Not Found - GET https://registry.example.com/acme-x - Not found",
    "Error: listen EADDRINUSE: address already in use :::3000",
    "Error response from daemon: pull access denied for acme/x, repository does not exist or may require 'docker login'",
    "docker: Error response from daemon: driver failed programming external connectivity: Bind for 0.0.0.0:8080 failed: port is already allocated.",
    "bash: tollgat: command not found",
    "make: *** [Makefile:12: all] Error 2",
    "Segmentation fault (core dumped)",
    "java.lang.OutOfMemoryError: Java heap space",
    "Killed process 1234 (postgres) total-vm:123456kB, anon-rss:65432kB",
    "HTTP/1.1 404 Not Found\ncontent-length: 0",
    "ERROR 1045 (28000): Access denied for user 'root'@'localhost' (using password: YES)",
    "An error occurred (AccessDenied) when calling the PutObject operation: Access Denied",
    "An error occurred (ExpiredToken) when calling the ListBuckets operation: The provided token has expired.",
    "E: Unable to locate package foo",
    "Permission denied (publickey).",
    "thread 'main' panicked at src/main.rs:5:10:\ncalled `Option::unwrap()` on a `None` value",
    "System.NullReferenceException: Object reference not set to an instance of an object.",
    "ld: symbol(s) not found for architecture arm64",
    "SyntaxError: Unexpected token '<', \"<!DOCTYPE \"... is not valid JSON",
    "The request was aborted: Could not create SSL/TLS secure channel.",
    "curl: (28) Operation timed out after 10001 milliseconds with 0 bytes received",
    "curl: (7) Failed to connect to localhost port 8080 after 0 ms: Couldn't connect to server",
    "nginx: [emerg] bind() to 0.0.0.0:80 failed (98: Address already in use)",
    "<html><head><title>502 Bad Gateway</title></head><body><center>nginx</center></body></html>",
    "Your account balance is insufficient to complete this transfer",
    "The model of your car is not supported by this garage",
    "Test failed: expected 200, got 400",
];

#[test]
fn s38_nothing_is_claimed_about_texts_of_other_programs() {
    for text in UNRELATED {
        let found = best(text).map(|found| found.id.as_str());
        assert_eq!(found, None, "{text}");
    }
}
