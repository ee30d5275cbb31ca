//! Made by `npm run pack` in `dashboard/`; not to be edited.

use crate::File;

pub(crate) const FILES: &[File] = &[
    File {
        path: "assets/Chart-C25x8k3y.js",
        content_type: "text/javascript",
        tag: "\"17eb87322034baa4\"",
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
        path: "assets/JobGraph-CeJeskZg.css",
        content_type: "text/css",
        tag: "\"6b6d5995217cb05d\"",
        immutable: true,
        gzip: include_bytes!("../assets/JobGraph.css.gz"),
    },
    File {
        path: "assets/JobGraph-DvD4zCza.js",
        content_type: "text/javascript",
        tag: "\"2d26c40632a53a12\"",
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
        path: "assets/index-BCntFMZ4.js",
        content_type: "text/javascript",
        tag: "\"94b8b1e7427bf39c\"",
        immutable: true,
        gzip: include_bytes!("../assets/index.js.gz"),
    },
    File {
        path: "assets/index-ChatoNcE.css",
        content_type: "text/css",
        tag: "\"f415c532041637c4\"",
        immutable: true,
        gzip: include_bytes!("../assets/index.css.gz"),
    },
    File {
        path: "index.html",
        content_type: "text/html; charset=utf-8",
        tag: "\"96e68aa1a90131a2\"",
        immutable: false,
        gzip: include_bytes!("../assets/index.html.gz"),
    },
];
