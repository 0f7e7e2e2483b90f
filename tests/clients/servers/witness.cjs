// What a server of the interop suite knows about itself, as JSON lines in the file LAB_RECORD:
//   {"secret": VALUE, "what": NAME}     every secret value it issued or received, once
//   {"request": N, "method", "host", "path", "detail", "status"}   every request, when its answer is over
//   {"connection": N}               every connection, before it says anything
// The checks hold a recording against these lines, so nothing here is taken from authtape.
'use strict';
const { randomBytes } = require('node:crypto');
const fs = require('node:fs');

const record = fs.openSync(process.env.LAB_RECORD, 'a');
const seen = new Set();
let requests = 0;
let connections = 0;

// Parameters, JSON members and headers whose value is a secret wherever they occur.
const SECRET_FIELDS = [
    'access_token', 'refresh_token', 'id_token', 'token', 'code', 'code_verifier', 'code_challenge', 'state', 'client_secret',
    'registration_access_token', 'client_assertion', 'assertion',
];
const SECRET_HEADERS = ['mcp-session-id', 'last-event-id', 'cookie', 'x-api-key'];

const write = (line) => fs.writeSync(record, JSON.stringify(line) + '\n');

function secret(what, value) {
    if (typeof value !== 'string' || value === '' || seen.has(value)) return value;
    seen.add(value);
    write({ secret: value, what });
    return value;
}

// Logs each connection that a listener accepts.
const watch = (listener) => listener.on('connection', () => write({ connection: ++connections }));

// Express middleware: reads the whole body, notes its secrets, and logs the request when the answer is over.
function witness(req, res, next) {
    const number = ++requests;
    const chunks = [];
    req.on('data', (chunk) => chunks.push(chunk));
    req.on('end', () => {
        const url = new URL(req.originalUrl, `https://${req.headers.host}`);
        req.body = parsed(req.headers['content-type'], Buffer.concat(chunks).toString());
        for (const source of [Object.fromEntries(url.searchParams), req.body ?? {}]) {
            for (const name of SECRET_FIELDS) secret(name, source[name]);
        }
        for (const name of SECRET_HEADERS) secret(name, req.headers[name]);
        const [scheme, credentials] = (req.headers.authorization ?? '').split(' ');
        secret('authorization', credentials);
        if (/^basic$/i.test(scheme)) secret('basic', Buffer.from(credentials, 'base64').toString());
        res.on('close', () => {
            for (const name of SECRET_HEADERS) secret(name, res.getHeader(name));
            const detail = req.body?.method ?? req.body?.grant_type;
            write({ request: number, method: req.method, host: req.headers.host, path: url.pathname, detail, status: res.statusCode });
        });
        next();
    });
}

function parsed(type, text) {
    if (/^application\/json/.test(type) && text) return JSON.parse(text);
    if (/urlencoded/.test(type)) return Object.fromEntries(new URLSearchParams(text));
    return undefined;
}

// Secrets no client asks for, in places no specification names.
const plants = process.env.LAB_PLANT !== 'no';
const plant = (where) => secret(`planted in ${where}`, randomBytes(24).toString('base64url'));

module.exports = { plant, plants, secret, watch, witness };
