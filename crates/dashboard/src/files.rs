//! Made by `npm run pack` in `dashboard/`; not to be edited.

use crate::File;

pub(crate) const FILES: &[File] = &[
    File {
        path: "assets/Chart-C7g9rC4B.js",
        content_type: "text/javascript",
        tag: "\"629990899b118bfe\"",
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
        path: "assets/JobGraph-C9Ts-fWW.js",
        content_type: "text/javascript",
        tag: "\"1eb1d70d4afb36f6\"",
        immutable: true,
        gzip: include_bytes!("../assets/JobGraph.js.gz"),
    },
    File {
        path: "assets/flow-DdPFR_7r.js",
        content_type: "text/javascript",
        tag: "\"d6ebd9a7ac93de5f\"",
        immutable: true,
        gzip: include_bytes!("../assets/flow.js.gz"),
    },
    File {
        path: "assets/icon-OKkelCX7.svg",
        content_type: "image/svg+xml",
        tag: "\"1d7e9c08263295ae\"",
        immutable: true,
        gzip: include_bytes!("../assets/icon.svg.gz"),
    },
    File {
        path: "assets/index-dbemI_LY.js",
        content_type: "text/javascript",
        tag: "\"5384e4ba690149bc\"",
        immutable: true,
        gzip: include_bytes!("../assets/index.js.gz"),
    },
    File {
        path: "assets/index-fANb6s8b.css",
        content_type: "text/css",
        tag: "\"fb349cf7c0eff9ff\"",
        immutable: true,
        gzip: include_bytes!("../assets/index.css.gz"),
    },
    File {
        path: "assets/main-DcYln6KZ.js",
        content_type: "text/javascript",
        tag: "\"3fcbe7deee45cd4f\"",
        immutable: true,
        gzip: include_bytes!("../assets/main.js.gz"),
    },
    File {
        path: "assets/preload-helper-RYq-5E7p.js",
        content_type: "text/javascript",
        tag: "\"c32cb3ccc7a5062d\"",
        immutable: true,
        gzip: include_bytes!("../assets/preload-helper.js.gz"),
    },
    File {
        path: "assets/units-lJ4iwXUc.js",
        content_type: "text/javascript",
        tag: "\"7e4615433f39cbc0\"",
        immutable: true,
        gzip: include_bytes!("../assets/units.js.gz"),
    },
    File {
        path: "index.html",
        content_type: "text/html; charset=utf-8",
        tag: "\"bf94a8e22fd5bd75\"",
        immutable: false,
        gzip: include_bytes!("../assets/index.html.gz"),
    },
];
