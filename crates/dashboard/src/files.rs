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
        path: "assets/Chart-UupMtiTp.js",
        content_type: "text/javascript",
        tag: "\"2290012936076e74\"",
        immutable: true,
        gzip: include_bytes!("../assets/Chart.js.gz"),
    },
    File {
        path: "assets/JobGraph-VAAmNfFK.js",
        content_type: "text/javascript",
        tag: "\"475ea0c4947690ca\"",
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
        path: "assets/index-JqXgOkF0.css",
        content_type: "text/css",
        tag: "\"b8e10d3bc31c26b9\"",
        immutable: true,
        gzip: include_bytes!("../assets/index.css.gz"),
    },
    File {
        path: "assets/index-MpQFA7Jl.js",
        content_type: "text/javascript",
        tag: "\"7e5fa73b3597a42c\"",
        immutable: true,
        gzip: include_bytes!("../assets/index.js.gz"),
    },
    File {
        path: "assets/main-DESA0H_a.js",
        content_type: "text/javascript",
        tag: "\"009ec92a9a171ad8\"",
        immutable: true,
        gzip: include_bytes!("../assets/main.js.gz"),
    },
    File {
        path: "assets/units-Detu42ZV.js",
        content_type: "text/javascript",
        tag: "\"63f9333c14605349\"",
        immutable: true,
        gzip: include_bytes!("../assets/units.js.gz"),
    },
    File {
        path: "index.html",
        content_type: "text/html; charset=utf-8",
        tag: "\"c996f635938e9f74\"",
        immutable: false,
        gzip: include_bytes!("../assets/index.html.gz"),
    },
];
