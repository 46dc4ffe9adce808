// htmx may evaluate code in attributes (hx-on, js: values, trigger filters). Nothing of ours uses that: it is switched off
// here, and the content security policy forbids it as well. Scripts in swapped content become inert.
(() => {
  const refuse = function () { throw new Error("code in attributes is switched off"); };
  htmx.registerExtension("skiff-safe", {
    init: (api) => api.initSecurity({ createHTML: (html) => html, createScript: () => "" }, refuse, refuse),
    htmx_config_request: (element, { ctx }) => {
      const token = document.querySelector('meta[name="skiff-token"]')?.content;
      const url = new URL(ctx.request.action, location.href);
      if (url.origin !== location.origin) return false;
      if (token && ctx.request.method !== "GET") ctx.request.headers["X-Skiff-Token"] = token;
    },
  });
})();
