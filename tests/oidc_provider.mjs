// panva's oidc-provider (OpenID Certified) on loopback, for tests/rooms/identity/test_identity_certified.py.
// argv: the folder with node_modules. Prints its port; then answers "rotate" on stdin with the new key's id.
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { generateKeyPairSync } from 'node:crypto';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

console.info = console.warn = () => {}; // its notices; our answers alone go to stdout

const find = createRequire(`${process.argv[2]}/package.json`);
const { default: Provider } = await import(pathToFileURL(find.resolve('oidc-provider')));
const REDIRECT = 'http://127.0.0.1/callback';
let generation = 0;

function key() {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), kid: `k${++generation}`, use: 'sig', alg: 'RS256' };
}

function provider(issuer) {
  const made = new Provider(issuer, {
    jwks: { keys: [key()] },
    clients: [
      {
        client_id: 'selat-console', client_secret: 'console-secret', redirect_uris: [REDIRECT],
        grant_types: ['authorization_code'], response_types: ['code'], application_type: 'native',
      },
      {
        client_id: 'service', client_secret: 'service-secret', redirect_uris: [], response_types: [],
        grant_types: ['client_credentials'],
      },
    ],
    pkce: { required: () => true, methods: ['S256'] },
    conformIdTokenClaims: false,
    claims: { openid: ['sub', 'roles'] },
    findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ sub, roles: ['selat-officer'] }) }),
    // Whoever comes is logged in and has agreed: what is tested is what follows.
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_, resource) => ({
          scope: 'infer', audience: resource.replace('urn:', ''), accessTokenTTL: 300, accessTokenFormat: 'jwt',
          jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
    extraTokenClaims: () => ({ roles: ['selat-builder'] }),
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    cookies: { keys: ['test'], short: { path: '/' } },
  });
  made.use(async (ctx, next) => {
    if (!ctx.path.startsWith('/interaction/')) return next();
    const { params, prompt, grantId } = await made.interactionDetails(ctx.req, ctx.res);
    if (prompt.name === 'login') {
      return made.interactionFinished(ctx.req, ctx.res, { login: { accountId: 'aminah@example.my' } });
    }
    const grant = grantId ? await made.Grant.find(grantId)
      : new made.Grant({ accountId: 'aminah@example.my', clientId: params.client_id });
    grant.addOIDCScope(params.scope);
    return made.interactionFinished(ctx.req, ctx.res, { consent: { grantId: await grant.save() } });
  });
  return made.callback();
}

let handle;
let issuer;
const server = createServer((request, response) => handle(request, response));
server.listen(0, '127.0.0.1', () => {
  issuer = `http://127.0.0.1:${server.address().port}`;
  handle = provider(issuer);
  console.log(issuer);
});
createInterface({ input: process.stdin })
  .on('line', () => { handle = provider(issuer); console.log(`k${generation}`); })
  .on('close', () => process.exit(0));
