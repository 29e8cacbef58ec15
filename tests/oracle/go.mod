module l5d-rotate/oracle

go 1.24
