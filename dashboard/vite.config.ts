import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

/** Where `npm run dev` finds the REST server. */
const server = process.env.FLOTT_REST ?? "http://localhost:8081";

const calls = ["config", "overview", "jobs", "jars", "taskmanagers", "jobmanager", "openapi.json", "auth"];

export default defineConfig({
  base: "./",
  plugins: [react()],
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
