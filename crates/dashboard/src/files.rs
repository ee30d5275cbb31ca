//! Made by `npm run pack` in `dashboard/`; not to be edited.

use crate::File;

pub(crate) const FILES: &[File] = &[
    File {
        path: "assets/Chart-B7FS5z0W.js",
        content_type: "text/javascript",
        tag: "\"4a1c62b93315f886\"",
        immutable: true,
        gzip: include_bytes!("../assets/Chart.js.gz"),
    },
    File {
        path: "assets/Chart-CnsZ1jie.css",
        content_type: "text/css",
        tag: "\"0fd9465202f6dfce\"",
        immutable: true,
        gzip: include_bytes!("../assets/Chart.css.gz"),
    },
    File {
        path: "assets/JobGraph-Z3XfAViQ.js",
        content_type: "text/javascript",
        tag: "\"bcc9207853148a5a\"",
        immutable: true,
        gzip: include_bytes!("../assets/JobGraph.js.gz"),
    },
    File {
        path: "assets/icon-OKkelCX7.svg",
        content_type: "image/svg+xml",
        tag: "\"1d7e9c08263295ae\"",
        immutable: true,
        gzip: include_bytes!("../assets/icon.svg.gz"),
    },
    File {
        path: "assets/index-C5-qXYKu.css",
        content_type: "text/css",
        tag: "\"066abd2f445a0bb6\"",
        immutable: true,
        gzip: include_bytes!("../assets/index.css.gz"),
    },
    File {
        path: "assets/index-CLOpopOB.js",
        content_type: "text/javascript",
        tag: "\"8a820502e96e6494\"",
        immutable: true,
        gzip: include_bytes!("../assets/index.js.gz"),
    },
    File {
        path: "assets/main-Cjz6Bcsh.js",
        content_type: "text/javascript",
        tag: "\"b3fcd852d7086c24\"",
        immutable: true,
        gzip: include_bytes!("../assets/main.js.gz"),
    },
    File {
        path: "assets/units-DWWoq6S2.js",
        content_type: "text/javascript",
        tag: "\"a9c644af3d090b51\"",
        immutable: true,
        gzip: include_bytes!("../assets/units.js.gz"),
    },
    File {
        path: "index.html",
        content_type: "text/html; charset=utf-8",
        tag: "\"d5c7d472155893ac\"",
        immutable: false,
        gzip: include_bytes!("../assets/index.html.gz"),
    },
];
