// What both TypeScript clients share: credentials in memory, a loopback callback, the browser.
'use strict';
const { spawn } = require('node:child_process');
const { randomBytes } = require('node:crypto');
const http = require('node:http');

// The provider of one client process; `callback` resolves with the parameters of the first callback.
async function login(clientName) {
    let arrived;
    const callback = new Promise((resolve) => (arrived = resolve));
    const listener = http.createServer((req, res) => {
        const url = new URL(req.url, 'http://localhost');
        res.end('done');
        if (url.pathname === '/callback') arrived(url.searchParams);
    });
    await new Promise((resolve) => listener.listen(Number(process.env.LAB_CALLBACK_PORT ?? 0), '127.0.0.1', resolve));

    const redirectUrl = `http://localhost:${listener.address().port}/callback`;
    const state = randomBytes(24).toString('base64url');
    const kept = {};
    const provider = {
        redirectUrl,
        clientMetadata: { client_name: clientName, redirect_uris: [redirectUrl] },
        state: () => state,
        clientInformation: () => kept.client,
        saveClientInformation: (client) => void (kept.client = client),
        tokens: () => kept.tokens,
        async saveTokens(tokens) {
            if (tokens.id_token) await verify(tokens.id_token, kept.client.client_id);
            kept.tokens = tokens;
        },
        codeVerifier: () => kept.verifier,
        saveCodeVerifier: (verifier) => void (kept.verifier = verifier),
        redirectToAuthorization: (url) => void spawn(process.env.BROWSER, [url.href], { stdio: 'ignore' }),
    };
    return {
        provider,
        async callback() {
            const parameters = await callback;
            listener.close();
            if (parameters.get('state') !== state) throw new Error('the callback has a foreign state');
            return parameters;
        },
    };
}

// Verifies an id token with the keys of its issuer, as OpenID Connect wants it.
async function verify(idToken, audience) {
    const jose = require('jose');
    const { iss: issuer } = jose.decodeJwt(idToken);
    const configuration = await (await fetch(`${issuer}/.well-known/openid-configuration`)).json();
    const keys = jose.createRemoteJWKSet(new URL(configuration.jwks_uri));
    await jose.jwtVerify(idToken, keys, { issuer, audience });
    console.log(JSON.stringify({ verified: true }));
}

// Lists the tools, calls one (echo) and prints what it got.
async function useTools(client, call = { name: 'echo', arguments: { text: 'hello from the lab' } }) {
    const { tools } = await client.listTools();
    console.log(JSON.stringify({ tools: tools.map(({ name }) => name) }));
    const onprogress = ({ progress, total }) => console.log(JSON.stringify({ progress, total }));
    const { content } = await client.callTool(call, undefined, call.name === 'count' ? { onprogress } : {});
    console.log(JSON.stringify({ [call.name]: content[0].text }));
}

module.exports = { login, useTools };
