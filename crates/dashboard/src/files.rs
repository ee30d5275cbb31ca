//! Made by `npm run pack` in `dashboard/`; not to be edited.

use crate::File;

pub(crate) const FILES: &[File] = &[
    File {
        path: "assets/Chart-9Iy4MS2B.js",
        content_type: "text/javascript",
        tag: "\"d6e8cfe34538b3cf\"",
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
        path: "assets/JobGraph-C4Cg6tox.js",
        content_type: "text/javascript",
        tag: "\"404112895922fc2a\"",
        immutable: true,
        gzip: include_bytes!("../assets/JobGraph.js.gz"),
    },
    File {
        path: "assets/JobGraph-CeJeskZg.css",
        content_type: "text/css",
        tag: "\"6b6d5995217cb05d\"",
        immutable: true,
        gzip: include_bytes!("../assets/JobGraph.css.gz"),
    },
    File {
        path: "assets/icon-OKkelCX7.svg",
        content_type: "image/svg+xml",
        tag: "\"1d7e9c08263295ae\"",
        immutable: true,
        gzip: include_bytes!("../assets/icon.svg.gz"),
    },
    File {
        path: "assets/index-C-znEJNa.css",
        content_type: "text/css",
        tag: "\"f6960cbca98bcd5a\"",
        immutable: true,
        gzip: include_bytes!("../assets/index.css.gz"),
    },
    File {
        path: "assets/index-DbcPpe6j.js",
        content_type: "text/javascript",
        tag: "\"f30597103589ebb2\"",
        immutable: true,
        gzip: include_bytes!("../assets/index.js.gz"),
    },
    File {
        path: "index.html",
        content_type: "text/html; charset=utf-8",
        tag: "\"aebb117f850013cf\"",
        immutable: false,
        gzip: include_bytes!("../assets/index.html.gz"),
    },
];
