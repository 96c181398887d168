// Astro's check against forms of other sites, which is off where this is on: the
// same rule, but it lets webhooks of workflows pass. Their token is what protects
// them, and callers send what they like, also forms.

const WEBHOOK = '/.well-known/workflow/v1/webhook/[token]';
/** Below it the app's own routes hand webhooks on. */
const OWN_WEBHOOKS = '/api/workflow-studio/webhook/';
const QUEUE_ROUTES = new Set([
  '/.well-known/workflow/v1/flow',
  '/.well-known/workflow/v1/step',
]);
const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);
const FORM_TYPES = [
  'application/x-www-form-urlencoded',
  'multipart/form-data',
  'text/plain',
];

/**
 * @param {any} context
 * @param {() => Promise<Response>} next
 */
export function onRequest(context, next) {
  return context.isPrerendered || isAdmitted(context) || isOwn(context)
    ? next()
    : new Response(
        `Cross-site ${context.request.method} form submissions are forbidden`,
        { status: 403 },
      );
}

/**
 * @param {any} context
 */
function isAdmitted({ routePattern, url }) {
  return (
    routePattern === WEBHOOK ||
    routePattern?.startsWith(OWN_WEBHOOKS) ||
    (QUEUE_ROUTES.has(routePattern) && url.searchParams.has('__health'))
  );
}

/**
 * Whether a browser cannot have sent this for another site without asking first.
 *
 * @param {any} context
 */
function isOwn({ request, url }) {
  const type = request.headers.get('content-type')?.toLowerCase();
  const isForm =
    type === undefined || FORM_TYPES.some((form) => type.includes(form));
  return (
    SAFE_METHODS.has(request.method) ||
    !isForm ||
    request.headers.get('origin') === url.origin
  );
}
