//! Made by `npm run pack` in `dashboard/`; not to be edited.

use crate::File;

pub(crate) const FILES: &[File] = &[
    File {
        path: "assets/Chart-CnsZ1jie.css",
        content_type: "text/css",
        tag: "\"0fd9465202f6dfce\"",
        immutable: true,
        gzip: include_bytes!("../assets/Chart.css.gz"),
    },
    File {
        path: "assets/Chart-PV5a7Kjq.js",
        content_type: "text/javascript",
        tag: "\"81a45c536dded69a\"",
        immutable: true,
        gzip: include_bytes!("../assets/Chart.js.gz"),
    },
    File {
        path: "assets/JobGraph-CeJeskZg.css",
        content_type: "text/css",
        tag: "\"6b6d5995217cb05d\"",
        immutable: true,
        gzip: include_bytes!("../assets/JobGraph.css.gz"),
    },
    File {
        path: "assets/JobGraph-xu-6i-fb.js",
        content_type: "text/javascript",
        tag: "\"6ee204e5b037f86a\"",
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
        path: "assets/index-BVolN1n0.css",
        content_type: "text/css",
        tag: "\"cbb9e4ee8963d8e5\"",
        immutable: true,
        gzip: include_bytes!("../assets/index.css.gz"),
    },
    File {
        path: "assets/index-YBk-luYV.js",
        content_type: "text/javascript",
        tag: "\"14aa318b0908877c\"",
        immutable: true,
        gzip: include_bytes!("../assets/index.js.gz"),
    },
    File {
        path: "index.html",
        content_type: "text/html; charset=utf-8",
        tag: "\"363111a5067df126\"",
        immutable: false,
        gzip: include_bytes!("../assets/index.html.gz"),
    },
];
