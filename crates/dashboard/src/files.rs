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
        path: "assets/index-CLv2pz1n.js",
        content_type: "text/javascript",
        tag: "\"c6f37968869e243f\"",
        immutable: true,
        gzip: include_bytes!("../assets/index.js.gz"),
    },
    File {
        path: "assets/index-qARh7X_6.css",
        content_type: "text/css",
        tag: "\"c9005c00c798220f\"",
        immutable: true,
        gzip: include_bytes!("../assets/index.css.gz"),
    },
    File {
        path: "assets/main-DG-tdwBX.js",
        content_type: "text/javascript",
        tag: "\"403da2c683ee6e61\"",
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
        tag: "\"0eab3b86d769e654\"",
        immutable: false,
        gzip: include_bytes!("../assets/index.html.gz"),
    },
];
