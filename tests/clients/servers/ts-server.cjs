#!/usr/bin/env node
// An MCP server (LAB_MCP) and its authorization server (LAB_AUTH), two origins on one TLS listener, from the TypeScript SDK v1:
// registration, PKCE, refresh with rotation, revocation, sessions, answers as SSE with event ids, the GET stream, one tool.
//
// Environment: LAB_RECORD, LAB_CERT, LAB_KEY, LAB_MCP, LAB_AUTH (origins); LAB_ACCESS_TTL (seconds, 3600);
// LAB_EXPIRE_AFTER (the first access token of each login is refused after this many MCP requests);
// LAB_PLANT=no (no secrets in odd places); LAB_TOOLS (further tools, see tools.cjs);
// LAB_REGISTRATION=refused; LAB_PERSON=refuses; LAB_REFRESH=none|refused; LAB_STATELESS (no sessions, JSON answers);
// LAB_FORGET_AFTER (a session is forgotten after this many requests, once).
// Prints {"port": N} when it listens.
'use strict';
const { randomBytes, randomUUID } = require('node:crypto');
const fs = require('node:fs');
const https = require('node:https');
const express = require('express');
const { requireBearerAuth } = require('@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js');
const { getOAuthProtectedResourceMetadataUrl, mcpAuthRouter } = require('@modelcontextprotocol/sdk/server/auth/router.js');
const { InvalidClientMetadataError, InvalidGrantError, InvalidTokenError } = require('@modelcontextprotocol/sdk/server/auth/errors.js');
const { StreamableHTTPServerTransport } = require('@modelcontextprotocol/sdk/server/streamableHttp.js');
const { mcpServer, neededScope } = require('./tools.cjs');
const { plant, plants, secret, watch, witness } = require('./witness.cjs');

const resource = new URL('/mcp', process.env.LAB_MCP);
const issuer = new URL(process.env.LAB_AUTH);
const accessLifetime = Number(process.env.LAB_ACCESS_TTL ?? 3600);
const expireAfter = Number(process.env.LAB_EXPIRE_AFTER ?? Infinity);
const forgetAfter = Number(process.env.LAB_FORGET_AFTER ?? Infinity);
const refresh = process.env.LAB_REFRESH;

const issue = (what) => secret(what, `${what}_${randomBytes(24).toString('base64url')}`);
const now = () => Math.floor(Date.now() / 1000);

// The authorization server's memory.
const clients = new Map();
const codes = new Map();
const accessTokens = new Map();
const refreshTokens = new Map();

function grant(client, scopes, generation) {
    const access = { token: issue('at'), clientId: client.client_id, scopes, expiresAt: now() + accessLifetime, generation, uses: 0 };
    accessTokens.set(access.token, access);
    const answer = { access_token: access.token, token_type: 'Bearer', expires_in: accessLifetime, scope: scopes.join(' ') };
    if (refresh !== 'none') {
        answer.refresh_token = issue('rt');
        refreshTokens.set(answer.refresh_token, { clientId: client.client_id, scopes, generation });
    }
    if (plants) answer.authed_user = { access_token: plant('a token answer') };
    return answer;
}

// A one-time value is taken out as it is looked up.
function take(memory, value, client) {
    const found = memory.get(value);
    memory.delete(value);
    if (!found || found.clientId !== client.client_id) throw new InvalidGrantError('unknown, used or foreign grant');
    return found;
}

const provider = {
    clientsStore: {
        getClient: (id) => clients.get(id),
        registerClient(metadata) {
            if (process.env.LAB_REGISTRATION === 'refused') throw new InvalidClientMetadataError('this client may not register');
            const client = { ...metadata, client_id: `client_${randomUUID()}`, client_id_issued_at: now() };
            if (plants) {
                client.registration_access_token = issue('reg');
                client.registration_client_uri = new URL(`/register?key=${plant('a registration URL')}`, issuer).href;
            }
            secret('client_id', client.client_id);
            secret('client_secret', client.client_secret);
            clients.set(client.client_id, client);
            return client;
        },
    },
    async authorize(client, params, res) {
        const target = new URL(params.redirectUri);
        if (process.env.LAB_PERSON === 'refuses') {
            target.searchParams.set('error', 'access_denied');
            target.searchParams.set('error_description', 'the person said no');
        } else {
            const code = issue('code');
            codes.set(code, { clientId: client.client_id, challenge: params.codeChallenge, scopes: params.scopes ?? [] });
            target.searchParams.set('code', code);
        }
        if (params.state !== undefined) target.searchParams.set('state', params.state);
        target.searchParams.set('iss', issuer.href);
        if (plants) target.searchParams.set('session_state', plant('a Location'));
        res.cookie('lab_login', issue('cookie'), { httpOnly: true });
        res.redirect(302, target.href);
    },
    async challengeForAuthorizationCode(_client, code) {
        if (!codes.has(code)) throw new InvalidGrantError('unknown code');
        return codes.get(code).challenge;
    },
    exchangeAuthorizationCode: async (client, code) => grant(client, take(codes, code, client).scopes, 0),
    async exchangeRefreshToken(client, token) {
        const old = take(refreshTokens, token, client);
        if (refresh === 'refused') throw new InvalidGrantError('the grant was revoked');
        return grant(client, old.scopes, old.generation + 1);
    },
    async verifyAccessToken(token) {
        const known = accessTokens.get(token);
        if (!known || known.expiresAt <= now()) throw new InvalidTokenError('unknown or expired');
        if (known.generation === 0 && ++known.uses > expireAfter) throw new InvalidTokenError('expired early');
        return known;
    },
    async revokeToken(_client, { token }) {
        accessTokens.delete(token);
        refreshTokens.delete(token);
    },
};

const polls = /\bpoll\b/.test(process.env.LAB_TOOLS);

// One stream's events, kept so that a client may resume; the ids are secrets of their session.
function eventStore() {
    const events = [];
    return {
        async storeEvent(streamId, message) {
            const id = secret('event_id', `${streamId}_${randomUUID()}`);
            events.push({ id, streamId, message });
            return id;
        },
        async replayEventsAfter(lastId, { send }) {
            const last = events.findIndex(({ id }) => id === lastId);
            const streamId = events[last]?.streamId;
            for (const event of events.slice(last + 1)) {
                if (event.streamId === streamId && (polls || event.message.method)) await send(event.id, event.message);
            }
            return streamId;
        },
    };
}

const sessions = new Map();

async function mcp(req, res) {
    if (process.env.LAB_STATELESS) return stateless(req, res);
    const known = sessions.get(req.headers['mcp-session-id']);
    if (known && ++known.requests > forgetAfter && !sessions.forgot) {
        sessions.forgot = sessions.delete(req.headers['mcp-session-id']);
    } else if (known) {
        return known.transport.handleRequest(req, res, req.body);
    }
    if (req.body?.method !== 'initialize') {
        const [status, code, message] =
            req.headers['mcp-session-id'] ? [404, -32001, 'Session not found'] : [400, -32000, 'Bad Request: Mcp-Session-Id header is required'];
        return res.status(status).json({ jsonrpc: '2.0', error: { code, message }, id: null });
    }
    const transport = new StreamableHTTPServerTransport({
        eventStore: eventStore(),
        retryInterval: polls ? 200 : undefined,
        sessionIdGenerator: () => secret('session', randomUUID()),
        onsessioninitialized: (id) => sessions.set(id, { transport, requests: 0 }),
        onsessionclosed: (id) => sessions.delete(id),
    });
    await mcpServer().connect(transport);
    return transport.handleRequest(req, res, req.body);
}

// A server and a transport for each request, as the SDK wants it.
async function stateless(req, res) {
    if (req.method !== 'POST') return res.status(405).set('allow', 'POST').end();
    const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined, enableJsonResponse: true });
    await mcpServer().connect(transport);
    return transport.handleRequest(req, res, req.body);
}

const app = express();
app.use(witness);
app.use((_req, res, next) => {
    if (plants) res.set('x-lab-key', plant('a header'));
    next();
});
app.use(mcpAuthRouter({ provider, issuerUrl: issuer, resourceServerUrl: resource, scopesSupported: ['echo'], resourceName: 'lab' }));
const resourceMetadataUrl = getOAuthProtectedResourceMetadataUrl(resource);
const guarded = (req, res, next) =>
    requireBearerAuth({ verifier: provider, resourceMetadataUrl, requiredScopes: neededScope(req.body) })(req, res, next);
app.all('/mcp', guarded, mcp);

const tls = { cert: fs.readFileSync(process.env.LAB_CERT), key: fs.readFileSync(process.env.LAB_KEY) };
const listener = https.createServer(tls, app).listen(0, '127.0.0.1', () => {
    console.log(JSON.stringify({ port: listener.address().port }));
});
watch(listener);
// Open streams end with the server, so that each of them is logged.
process.on('SIGTERM', () => {
    listener.close();
    listener.closeAllConnections();
});
