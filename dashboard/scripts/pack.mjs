/**
 * Puts what `vite build` has made into the crate that serves it: each file compressed, and a list of them in Rust. With `--check` it
 * compares instead: the content, since another version of zlib may compress it to other bytes.
 */

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync, gzipSync } from "node:zlib";

const built = fileURLToPath(new URL("../dist/", import.meta.url));
const crate = fileURLToPath(new URL("../../crates/dashboard/", import.meta.url));
const assets = join(crate, "assets");
const list = join(crate, "src/files.rs");

const TYPES = { html: "text/html; charset=utf-8", js: "text/javascript", css: "text/css", svg: "image/svg+xml" };

const paths = ["index.html", ...readdirSync(join(built, "assets")).map((name) => `assets/${name}`)].sort();

const files = paths.map((path) => {
  const content = readFileSync(join(built, path));
  const tag = createHash("sha256").update(content).digest("hex").slice(0, 16);
  // The name without its hash: a new build changes a file here rather than adding another.
  const name = `${path.replace(/^assets\//, "").replace(/-[\w-]{8}(?=\.\w+$)/, "")}.gz`;
  return { path, name, tag, content, type: TYPES[path.slice(path.lastIndexOf(".") + 1)] };
});

const rust = `//! Made by \`npm run pack\` in \`dashboard/\`; not to be edited.

use crate::File;

pub(crate) const FILES: &[File] = &[
${files
  .map(
    ({ path, name, tag, type }) => `    File {
        path: "${path}",
        content_type: "${type}",
        tag: "\\"${tag}\\"",
        immutable: ${path !== "index.html"},
        gzip: include_bytes!("../assets/${name}"),
    },
`,
  )
  .join("")}];
`;

if (process.argv.includes("--check")) {
  const wrong = files.filter(({ name, content }) => {
    const file = join(assets, name);
    return !existsSync(file) || !gunzipSync(readFileSync(file)).equals(content);
  });
  const known = existsSync(assets) ? readdirSync(assets) : [];
  const extra = known.filter((name) => files.every((file) => file.name !== name));
  const listed = existsSync(list) && readFileSync(list, "utf8") === rust;
  if (wrong.length > 0 || extra.length > 0 || !listed) {
    const names = [...wrong.map(({ name }) => name), ...extra, ...(listed ? [] : ["src/files.rs"])];
    console.error(`crates/dashboard is not what dashboard/ builds: ${names.join(", ")}`);
    console.error("Run `npm run build && npm run pack` in dashboard/, and commit what changes.");
    process.exit(1);
  }
  console.log(`crates/dashboard is what dashboard/ builds: ${files.length} files`);
} else {
  rmSync(assets, { recursive: true, force: true });
  mkdirSync(assets, { recursive: true });
  let bytes = 0;
  for (const { name, content } of files) {
    const gzip = gzipSync(content, { level: 9 });
    // The system that compressed it is written there, and is nobody's business.
    gzip[9] = 255;
    bytes += gzip.length;
    writeFileSync(join(assets, name), gzip);
  }
  writeFileSync(list, rust);
  console.log(`${files.length} files, ${(bytes / 1000).toFixed(1)} kB compressed`);
}
