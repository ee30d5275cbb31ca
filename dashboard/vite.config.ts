import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

/** Where `npm run dev` finds the REST server. */
const server = process.env.FLOTT_REST ?? "http://localhost:8081";

const calls = ["config", "overview", "jobs", "jars", "taskmanagers", "jobmanager", "openapi.json", "auth"];

/**
 * The first script imports the others by itself, but not before it runs: the page names those that every address needs, so that the browser
 * fetches them at once.
 */
const preload: Plugin = {
  name: "preload-main",
  transformIndexHtml: {
    order: "post",
    handler(_, { bundle }) {
      const all = Object.values(bundle ?? {});
      const names = new Set<string>();
      const add = (name: string) => {
        const chunk = all.find((one) => one.fileName === name);
        if (chunk?.type !== "chunk" || names.has(name)) return;
        names.add(name);
        chunk.imports.forEach(add);
      };
      for (const one of all) if (one.type === "chunk" && one.facadeModuleId?.endsWith("/src/main.tsx")) add(one.fileName);
      for (const one of all) if (one.type === "chunk" && one.isEntry) names.delete(one.fileName);
      return [...names].map((name) => ({
        tag: "link",
        attrs: { rel: "modulepreload", crossorigin: true, href: `./${name}` },
        injectTo: "head",
      }));
    },
  },
};

export default defineConfig({
  base: "./",
  plugins: [react(), preload],
  build: {
    outDir: "dist",
    target: "es2022",
    // The policy of the server allows no data in scripts and styles.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 1000,
  },
  server: {
    proxy: Object.fromEntries(calls.map((call) => [`^/${call}(/|$|\\?)`, { target: server, changeOrigin: true }])),
  },
});
